"""Which kills there are, in which order, and where the failpoints and moments are. From the seed alone."""

import dataclasses

FAILPOINTS = ("journal.before_commit", "journal.after_commit", "store.before_commit", "store.after_commit")
START_UP, MOMENT = "start-up", "moment"
# Of 20 kills.
DECK = [MOMENT] * 10 + [START_UP] * 2 + list(FAILPOINTS) * 2
MOMENT_S_MAX = 0.3  # after it is ready
COMMITS_MAX = 150  # a few hundred commits come in a second
EMPTY_FOLDER_KILLS = 4  # the first ones of a round: of a server that makes its files
EMPTY_FOLDER_S_MAX = 0.04


@dataclasses.dataclass
class Kill:
    kind: str
    delay: float = 0.0  # a moment: seconds after it is ready; start-up: of the usual time of a start
    commits: int = 0  # a failpoint: reached for the so many-th time
    opens: bool = False  # in this life the campaigns are made, and the crowds come
    verify: str | None = None  # "running": before the kill; "dead": after it

    def failpoint(self):
        return f"{self.kind}:{self.commits}" if self.kind in FAILPOINTS else None


def plan_round(kills, dice):
    empty = min(EMPTY_FOLDER_KILLS, kills - 1)
    plan = [Kill(START_UP, delay=dice.uniform(0, EMPTY_FOLDER_S_MAX)) for _ in range(empty)]
    plan.append(Kill(MOMENT, delay=MOMENT_S_MAX, opens=True))
    deck = []
    while len(plan) < kills:
        if not deck:
            deck = dice.sample(DECK, len(DECK))
        kind = deck.pop()
        if kind == MOMENT:
            plan.append(Kill(kind, delay=dice.uniform(0, MOMENT_S_MAX)))
        elif kind == START_UP:
            plan.append(Kill(kind, delay=dice.uniform(0, 1)))
        else:
            plan.append(Kill(kind, commits=round(COMMITS_MAX ** dice.random())))
    # Looks at a dead folder and at a running server, somewhere in the middle: about every 50 kills one of each.
    for part in range(max(1, kills // 50)):
        whole = plan[part * 50:(part + 1) * 50]
        moments = [kill for kill in whole if kill.kind == MOMENT]
        if len(moments) >= 2:
            running, dead = dice.sample(moments, 2)
            running.verify, dead.verify = "running", "dead"
    return plan
