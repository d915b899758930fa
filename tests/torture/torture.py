#!/usr/bin/env python3
"""Torture: a real server under a real rush, killed by SIGKILL again and again and restarted at once; the clients go on.

A round is one data folder: a plan of kills (plan.py) at random moments, during start-up, and before and after commits
of journal and store; crowds (crowds.py) on three campaigns, one of which seals in the middle and is raised later, and
one that answers only what the store has; an operator (operators.py) who raises quotas through it all. Then everything
heals: all users get a final answer, every campaign seals, every coupon is written, SIGTERM ends it with 0, and the
proof (proof.py) must be exact. FIRSTCOME names the program.
"""

import argparse
import collections
import dataclasses
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import traceback

import plan as plans
import proof
from crowds import Crowd
from operators import Campaign, Operator, ask_until
from server import Broken, Server

ROUND_KILLS_MAX = 200  # the journal grows with every second, and with it the time of a start
CYCLE_S = 0.25  # of a kill, about
FAILPOINT_S_MAX = 3.0
HEAL_S_MAX = 90
CLOSING_LOSERS = 200  # of the closing crowd, beyond the places that are left
IN_FLIGHT_SHARE_MIN = 0.5
UNREACHED_SHARE_MAX = 0.1


@dataclasses.dataclass
class Tally:
    """Over all rounds."""

    kills: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by kind
    in_flight: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # by kind: with claims
    for_journal: collections.Counter = dataclasses.field(default_factory=collections.Counter)  # not for the store only
    cut: int = 0
    unreached: int = 0  # failpoints that no commit came to: killed then
    starts: list = dataclasses.field(default_factory=list)  # seconds
    counts: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    raises: int = 0
    looks: collections.Counter = dataclasses.field(default_factory=collections.Counter)


class Round:
    def __init__(self, program, folder, kills, seed, tally, spoil):
        self.program, self.folder, self.tally, self.spoil = program, folder, tally, spoil
        self.dice = random.Random(seed)
        self.plan = plans.plan_round(kills, self.dice)
        self.data = f"{folder}/data"
        os.makedirs(f"{folder}/rush")
        self.server = Server(program, self.data, f"{folder}/server.log")
        self.lives = []  # (kind of kill, life)
        seconds = kills * CYCLE_S
        self.journal = Campaign("journal", 8000, step=8000)
        self.stored = Campaign("stored", 600, step=600, promise="store", issue_rate=1000)
        self.seats = Campaign("seats", max(20, int(30 * seconds)), issue_rate=300)
        self.campaigns = [self.journal, self.stored, self.seats]
        self.operator = Operator(self.server, self.campaigns)

        def crowd(number, campaign, prefix, rate, **more):
            return Crowd(program, self.server.url(), f"{folder}/rush", campaign.id, prefix, rate,
                         seed * 1000 + number * 100_000, **more)

        # A history that is read while its rush goes on lacks its end, so a user's first call may be missing where
        # others ask for the same user. The first crowd has nobody twice: its history can be verified at any time.
        self.once = crowd(1, self.journal, "once", 1200)
        self.crowds = [self.once, crowd(2, self.journal, "twice", 700, repeat=0.3, overlap=0.25),
                       crowd(3, self.stored, "stored", 160, repeat=0.2, overlap=0.1),
                       crowd(4, self.seats, "seats", 150, repeat=0.3, overlap=0.3)]

    def run(self, progress):
        try:
            for number, kill in enumerate(self.plan):
                if number == len(self.plan) * 3 // 5:
                    self.operator.raise_once(self.seats, self.seats.quota * 3 // 2)
                self.tend(len(self.plan) - number)
                self.one_kill(kill)
                progress(self)
            self.heal()
            self.judge()
        finally:
            self.operator.stop()
            for crowd in self.crowds:
                crowd.close()
            self.server.close()

    def open(self):
        self.operator.create()
        self.operator.start()
        self.tend(len(self.plan))

    def tend(self, kills_left):
        if self.operator.fault:
            raise Broken(f"the operator: {self.operator.fault}")
        if self.operator.thread.is_alive():
            for crowd in self.crowds:
                crowd.tend(kills_left * CYCLE_S)

    def one_kill(self, kill):
        life = self.server.start(kill.failpoint())
        if kill.kind == plans.START_UP:
            usual = statistics.median(self.tally.starts[-9:] or [1])
            self.server.await_end(kill.delay * usual if self.operator.thread.is_alive() else kill.delay)
            self.server.kill()
        elif self.server.await_ready():
            if kill.opens:
                self.open()
            if kill.verify == "running":
                self.verify_now("running")
            if kill.kind == plans.MOMENT:
                self.server.await_end(kill.delay)
                self.server.kill()
            elif not self.server.await_end(FAILPOINT_S_MAX):
                self.server.kill()
                self.tally.unreached += 1
        if kill.verify == "dead":
            before = proof.bytes_of(self.data)
            self.verify_now("dead")
            if proof.bytes_of(self.data) != before:
                raise Broken("verify changed a dead server's folder")
        self.count(kill, life)

    def count(self, kill, life):
        if life.ready_us is not None:
            self.tally.starts.append((life.ready_us - life.began_us) / 1e6)
        kind = plans.MOMENT if kill.kind == plans.START_UP and life.ready_us else kill.kind  # it came too late
        self.lives.append((kind, life))
        self.tally.kills[kind] += 1

    def verify_now(self, which):
        # A rush that was started this very moment has not made its history yet.
        made = [history for history in self.once.histories() if os.path.exists(history)]
        proof.verify(self.program, self.data, made)
        self.tally.looks[which] += 1

    def heal(self):
        """No more kills: everybody has a final answer, every campaign seals, every coupon is written."""
        deadline = time.monotonic() + HEAL_S_MAX
        self.server.start()
        self.server.await_ready()
        self.operator.stop()
        if self.operator.fault:
            raise Broken(f"the operator: {self.operator.fault}")
        for crowd in self.crowds:
            crowd.finish(deadline)
        for campaign, crowd in zip(self.campaigns, (self.crowds[0], self.crowds[2], self.crowds[3])):
            _, body = ask_until(deadline, self.server.port, "GET", f"/v1/campaigns/{campaign.id}")
            campaign.quota = body["quota"]
            if body["remaining"] > 0:
                crowd.rush("last-" + campaign.id, body["remaining"] + CLOSING_LOSERS, 1, 0)
        for crowd in self.crowds:
            crowd.finish(deadline)
        for campaign in self.campaigns:
            self.await_last_coupon(campaign, deadline)
        self.server.stop()

    def await_last_coupon(self, campaign, deadline):
        while True:
            status, body = ask_until(deadline, self.server.admin_port, "GET",
                                     f"/v1/campaigns/{campaign.id}/coupons?after={campaign.quota - 1}&limit=1")
            if status == 200 and body["coupons"]:
                return
            if time.monotonic() > deadline:
                raise Broken(f"the last coupon of {campaign.id} was not written within {HEAL_S_MAX} s: {status} {body}")
            time.sleep(0.05)

    def judge(self):
        histories = [history for crowd in self.crowds for history in crowd.histories()]
        if self.spoil:
            histories = proof.MISTAKES[self.spoil](self.data, histories, self.dice)
        counts = proof.prove(self.program, self.data, histories, self.campaigns)
        proof.verify(self.program, proof.copied(self.data, f"{self.folder}/copy"), histories)
        proof.prove_not_blind(self.program, self.data, histories, self.campaigns, f"{self.folder}/copy", self.dice)
        self.tally.counts.update(counts)
        self.tally.raises += sum(campaign.raises for campaign in self.campaigns)
        self.count_in_flight(histories)

    def count_in_flight(self, histories):
        """A claim was in flight at a kill if it was called in that life and never answered. When a failpoint killed is
        not known: by as much before its end was seen as after the quickest tenth of the kills that are ours."""
        calls = proof.Calls(histories, [campaign.id for campaign in self.campaigns])
        tickets = proof.Calls(histories, [campaign.id for campaign in self.campaigns if campaign.promise == "journal"])
        took = sorted(life.ended_us - life.killed_us for _, life in self.lives if life.killed_us)
        quick = took[len(took) // 10]
        for kind, life in self.lives:
            span = (life.ready_us or life.began_us, life.killed_us or life.ended_us - quick)
            self.tally.cut += calls.between(*span)
            self.tally.in_flight[kind] += calls.between(*span) > 0
            self.tally.for_journal[kind] += tickets.between(*span) > 0


def print_summary(tally, seconds):
    looks, counts, ready_ms = tally.looks, tally.counts, statistics.median(tally.starts) * 1000
    print(f"torture: {sum(tally.kills.values())} kills in {seconds:.0f} s")
    for kind in (*sorted(tally.kills), None):
        killed, flying, for_journal = (
            counter[kind] if kind else sum(counter.values())
            for counter in (tally.kills, tally.in_flight, tally.for_journal))
        print(f"  {kind or 'together':<22} {killed:>5} kills, {flying:>5} with claims in flight "
              f"({for_journal} that wait for the journal)")

    def line(name, text):
        print(f"  {name:<22} {text}")

    line("claims cut", f"{tally.cut}; {tally.unreached} failpoints were not reached in time")
    line("restarts", f"{ready_ms:.0f} ms until ready, in the median")
    line("verified meanwhile", f"{looks['running']} times a running server, {looks['dead']} times a dead one: exact")
    users = counts["winners"] + counts["sold_out"]
    line("asked", f"{users} users, {counts['attempts']} attempts; {tally.raises} raises")
    line("told", f"{counts['winners']} won, {counts['sold_out']} sold_out; every campaign sealed, every coupon written")
    line("forged copies", "a row removed, a history forged: seen")


def check_tally(tally):
    kills, unreached = sum(tally.kills.values()), tally.unreached
    if sum(tally.in_flight.values()) < IN_FLIGHT_SHARE_MIN * kills:
        raise Broken("fewer than half of the kills had claims in flight: this proves too little")
    if unreached > UNREACHED_SHARE_MAX * sum(tally.kills[name] for name in plans.FAILPOINTS):
        raise Broken(f"{unreached} failpoints were not reached within {FAILPOINT_S_MAX} s: this proves too little")
    seen = tally.looks["running"] and tally.looks["dead"] and tally.counts["sold_out"]
    if kills >= 2 * len(plans.DECK) and not seen:
        raise Broken("nothing was verified meanwhile, or nobody was told sold_out: this proves too little")


def arguments():
    parser = argparse.ArgumentParser(description="kill -9 a server under a rush, again and again, and prove it exact")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--folder", help="where the rounds' folders are made; default: a temporary one")
    parser.add_argument("--spoil", choices=sorted(proof.MISTAKES), help=argparse.SUPPRESS)  # then it must fail
    given = parser.parse_args()
    if given.kills < 2:
        parser.error("--kills takes a number from 2 on")
    return given


def main():
    given = arguments()
    program = os.environ.get("FIRSTCOME", "build/release/firstcome")
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1_000_000)
    folder = tempfile.mkdtemp(prefix="firstcome-torture-", dir=given.folder)
    rounds = -(-given.kills // ROUND_KILLS_MAX)
    print(f"torture: {given.kills} kills in {rounds} rounds, seed {seed}, folder {folder}", flush=True)
    began, tally = time.monotonic(), Tally()

    def progress(_):
        done = sum(tally.kills.values())
        if done % 10 == 0:
            print(f"  {done} of {given.kills} kills, {time.monotonic() - began:.0f} s, ready after "
                  f"{1000 * statistics.median(tally.starts[-10:] or [0]):.0f} ms", flush=True)

    try:
        for number in range(rounds):
            kills = given.kills * (number + 1) // rounds - given.kills * number // rounds
            Round(program, f"{folder}/round-{number}", kills, seed + number, tally, given.spoil).run(progress)
            shutil.rmtree(f"{folder}/round-{number}")
        print_summary(tally, time.monotonic() - began)
        check_tally(tally)
    except Exception as broken:
        if not isinstance(broken, Broken):
            traceback.print_exc(file=sys.stdout)
        print(f"torture: BROKEN: {broken}\n  all of it is kept in {folder}\n"
              f"  the same kills again: ./x torture --kills {given.kills} --seed {seed}", flush=True)
        return 1
    shutil.rmtree(folder)
    print("torture: verify exact in every round, on the folder and on a copy of it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
