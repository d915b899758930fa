"""What can happen to a topic and its brokers."""

import contextlib
import threading
import time

import felt
from process import Broken, wait_until
from scene import CAMPAIGN, NO_RECORD

PARTITIONS = 5


def leader_killed(scene):
    """And comes back later."""
    name = scene.leader()
    scene.servers.kill(name)
    time.sleep(4)
    scene.servers.up(name)
    return felt.by_users(scene)


def two_of_three_down(scene):
    two = scene.brokers[:2]
    for name in two:
        scene.servers.kill(name)
    time.sleep(2)
    scene.servers.up(*two)
    return felt.by_users(scene)


def leader_cut_off(scene):
    """From the other brokers, but not from us: it takes all and acknowledges nothing, says that it is the leader, and that
    nothing is new. Everybody has an answer before it is healed."""
    read_anew = felt.more_of(scene, ["firstcome_journal_readers_total"])
    name = scene.leader()
    scene.servers.cut_off(name)
    other = next(one for one in scene.brokers if one != name)
    wait_until(lambda: scene.leader(other) != name, 20, "the others have another leader")
    if scene.leader(name) != name:
        raise Broken(f"{name} knows that it is the leader no more, so it was not cut off")
    wait_until(lambda: scene.rush.poll() is not None, 100, "everybody has an answer")
    scene.servers.heal()
    wait_until(lambda: scene.leader(name) != name, 20, f"{name} has heard of the other leader")
    return read_anew


def partitions_added(scene):
    before = scene.tickets()
    scene.operate("add-partitions", str(PARTITIONS))
    wait_until(lambda: len(scene.partitions()) == PARTITIONS, 10, "the brokers show the new partitions")
    return lambda: scene.tickets() - before  # all in the old one


def delivered_twice(scene):
    """The last messages once more, byte by byte: every process must read them as entries, to no effect."""
    effects = ("known", "surplus", "after_closed", "out_of_window")
    idle = felt.more_of(scene, [f'firstcome_entries_total{{effect="{effect}"}}' for effect in effects])
    skipped = felt.more_of(scene, ["firstcome_journal_skipped_total"])
    copies = scene.read_messages(200)
    for number, body in enumerate(copies):
        with open(f"{scene.folder}/copy-{number}", "wb") as file:
            file.write(body)
    names = [f"{scene.folder}/copy-{number}" for number in range(len(copies))]
    scene.kcat("-P", "-p", "0", *names)
    return lambda: idle() if not skipped() and idle() >= len(copies) * len(scene.processes) else 0


def poison(scene):
    count = felt.more_of(scene, ["firstcome_journal_skipped_total"])
    names = []
    for number, body in enumerate((b"{\"user\": \"somebody\"}", b"F", b"FC", b"\0" * 1000)):
        names.append(f"{scene.folder}/poison-{number}")
        with open(names[-1], "wb") as file:
            file.write(body)
    scene.kcat("-P", "-p", "0", *names)
    return count


def producer_breaks(scene):
    """librdkafka's own fatal error, in the middle of a batch: another producer sends its tickets again."""
    broken = felt.more_of(scene, ["firstcome_journal_producers_total"])  # it may break as soon as it is ready
    scene.api_1.kill()
    scene.api_1.start({"FIRSTCOME_FAILPOINT": "journal.producer_breaks:200"})
    scene.api_1.await_ready()
    wait_until(broken, 20, "the producer broke")
    return broken


def paused_while_a_producer_restarts(scene):
    """Paused and resumed through both apis, again and again, until the producer of one has been broken and replaced."""
    done, changes = threading.Event(), []

    def operator():
        while not done.is_set():
            for word in ("pause", "resume"):
                for api in (scene.api_1, scene.api_2):
                    with contextlib.suppress(Broken):
                        scene.run("campaign", word, CAMPAIGN, "--admin-url", api.url())
                        changes.append(word)
            time.sleep(0.2)

    thread = threading.Thread(target=operator)
    thread.start()
    try:
        broken = producer_breaks(scene)
    finally:
        done.set()
        thread.join()
    scene.run("campaign", "resume", CAMPAIGN, "--admin-url", scene.api_2.url())
    return lambda: len(changes) if broken() else 0


def made_anew(scene):
    """Deleted, and there again under its name: no process may answer from it."""
    scene.operate("delete")
    wait_until(lambda: scene.created_anew(), 20, "the topic is there again")
    for process in scene.processes.values():
        wait_until(lambda one=process: one.process.poll() is not None, 90, f"{process.name} ends")
        if "is not the one that was read" not in process.last_words():
            raise Broken(f"{process.name} does not say why it ended: {process.last_words()}")
    issuer = scene.issuer_1
    issuer.start()
    wait_until(lambda: issuer.process.poll() is not None, 30, "the issuer refuses the other journal")
    said = issuer.last_words()
    if "belongs to journal" not in said and NO_RECORD not in said:
        raise Broken(f"the issuer does not say what is wrong: {issuer.last_words()}")
    return lambda: 1


ENDS_ITSELF = {"kafka: topic deleted and made anew"}  # no process is left that could answer
OF_THREE = {"kafka: leader of three killed", "kafka: two of three down", "kafka: leader of three cut off from the others"}
CELLS = {
    "kafka: leader of three killed": leader_killed,
    "kafka: two of three down": two_of_three_down,
    "kafka: leader of three cut off from the others": leader_cut_off,
    "kafka: partitions added": partitions_added,
    "kafka: messages delivered twice": delivered_twice,
    "kafka: messages that are no entries": poison,
    "kafka: a producer breaks": producer_breaks,
    "kafka: pause and resume while a producer restarts": paused_while_a_producer_restarts,
    "kafka: topic deleted and made anew": made_anew,
}
