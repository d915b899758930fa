#!/usr/bin/env python3
"""The distributed form on the real servers of `./x servers up`: two apis and two issuers, on a topic of four partitions."""

import contextlib
import itertools
import json
import re
import signal
import subprocess
import unittest

import real_servers
import server
from real_servers import KAFKA, NAME, REDIS, must, sql

PARTITIONS = 4
STEP = 1000  # of the rate's windows, in ms
DOCS = __file__.rsplit("/", 3)[0] + "/docs/operations.md"


def rows(campaign, what="user"):
    return sql(f"select {what} from coupon where campaign = '{campaign}' order by `rank`").split()


class Roles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        real_servers.make("--partitions", str(PARTITIONS))
        cls.addClassCleanup(real_servers.drop)
        journal = ["--journal", real_servers.journal()]
        api = ["--role", "api", *journal, "--gate", f"redis://{REDIS}", "--gate-prefix", NAME]
        issuer = ["--role", "issuer", *journal, "--store", real_servers.store()]
        cls.apis = [cls.enterClassContext(server.Server(*api)) for _ in range(2)]
        cls.issuers = [cls.enterClassContext(server.Server(*issuer)) for _ in range(2)]

    def setUp(self):
        self.claims = itertools.cycle(self.apis)

    def create(self, campaign, quota, **more):
        self.apis[0].create(campaign, quota, **more)
        server.wait_for("both apis know it", lambda: self.apis[1].get(f"/v1/campaigns/{campaign}").status == 200)

    def metric(self, process, name):
        found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", process.admin("GET", "/metrics").text(), re.M)
        return sum(map(float, found))

    def working_issuer(self):
        def found():
            return [one for one in self.issuers if self.metric(one, "firstcome_issuer_at_work") == 1]
        return server.wait_for("an issuer is at work", found)[0]

    def verify(self):
        processes = (word for one in (*self.apis, *self.issuers) for word in ("--process", f"http://127.0.0.1:{one.admin_port}"))
        report = json.loads(must("verify", "--journal", real_servers.journal(), "--store", real_servers.store(), *processes, "--json"))
        self.assertTrue(report["exact"], report)
        return report

    def test_any_api_answers_any_user_alike(self):
        self.create("alike", 20)
        users = [f"u{number}" for number in range(50)]
        told = {user: next(self.claims).claim("alike", user) for user in users}
        self.assertEqual([told[user].status for user in users], [201] * 20 + [409] * 30)

        def final(answer):
            """All that a client sees of it but the time of the day."""
            return answer.status, [(name, value) for name, value in answer.headers if name not in ("Date", "Server-Time")], answer.body

        for user in users:
            first, second = (api.claim("alike", user) for api in self.apis)
            self.assertEqual(final(first), final(second), user)
            self.assertEqual(first.body, told[user].body, user)
            mine = [api.get("/v1/campaigns/alike/claims/me", headers={"X-User": user}) for api in self.apis]
            self.assertEqual(final(mine[0]), final(mine[1]), user)
        shown = [api.get("/v1/campaigns/alike") for api in self.apis]
        self.assertEqual(final(shown[0]), final(shown[1]))

    def test_campaigns_of_all_partitions(self):
        campaigns = [f"many-{number}" for number in range(3 * PARTITIONS)]
        for campaign in campaigns:
            self.create(campaign, 3)
        for user in ("alice", "bob", "carol", "dave"):
            for campaign in campaigns:
                self.assertEqual(next(self.claims).claim(campaign, user).status, 409 if user == "dave" else 201)
        for campaign in campaigns:
            server.wait_for("all coupons are written", lambda one=campaign: rows(one) == ["alice", "bob", "carol"])
        for partition in range(PARTITIONS):
            positions = self.metric(self.apis[0], f'firstcome_journal_position{{partition="{partition}"}}')
            self.assertGreater(positions, 1, f"no campaign is in partition {partition}")
        found = {one["campaign"]: one for one in self.verify()["campaigns"]}
        for campaign in campaigns:
            self.assertEqual((found[campaign]["winners"], found[campaign]["coupons"]), (3, 3))

    def test_promise_store(self):
        self.create("kept", 2, promise="store")
        with contextlib.ExitStack() as awake:
            for issuer in self.issuers:
                issuer.process.send_signal(signal.SIGSTOP)
                awake.callback(issuer.process.send_signal, signal.SIGCONT)
            for _ in range(2):
                for user in ("alice", "bob", "carol"):
                    answer = next(self.claims).claim("kept", user)
                    self.assertEqual((answer.status, answer.json()["answer"]), (202, "pending"), f"{user}, and nothing is written")
            self.assertEqual(rows("kept"), [])

        def final(api, user):
            answer = api.claim("kept", user)
            return answer if answer.status != 202 else None

        for user, statuses in (("alice", (200, 201)), ("bob", (200, 201)), ("carol", (409,))):
            first, second = (server.wait_for("the answer is final", lambda one=api: final(one, user)) for api in self.apis)
            self.assertIn(first.status, statuses, user)
            self.assertEqual(first.body, second.body, user)
            self.assertEqual(rows("kept"), ["alice", "bob"], f"{user} was told before the coupons were written")

    def test_no_second_has_more_rows_than_the_rate_though_the_issuer_changes(self):
        rate, quota = 50, 300
        self.create("slow", quota, issue_rate=rate)
        for number in range(quota):
            self.assertEqual(next(self.claims).claim("slow", f"u{number}").status, 201)
        working = self.working_issuer()
        server.wait_for("some are written", lambda: len(rows("slow")) > quota / 4)
        working.process.send_signal(signal.SIGSTOP)
        spare = next(one for one in self.issuers if one is not working)
        server.wait_for("the spare took over", lambda: self.metric(spare, "firstcome_issuer_at_work") == 1)
        written = len(rows("slow"))
        working.process.send_signal(signal.SIGCONT)
        server.wait_for("all coupons are written", lambda: len(rows("slow")) == quota)
        self.assertLess(written, quota - rate, "the spare wrote none")
        times = sorted(map(int, rows("slow", "issued_at")))
        for first, beyond in zip(times, times[rate:]):
            self.assertGreaterEqual(beyond - first, STEP, f"more than {rate} rows in the second from {first} on")

    def test_metrics_that_the_docs_name_are_there(self):
        pages = [one.admin("GET", "/metrics").text() for one in (self.apis[0], self.issuers[0])]
        for page in pages:
            judged = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, check=False)
            self.assertEqual((judged.returncode, judged.stdout, judged.stderr), (0, "", ""))
        with open(DOCS, encoding="utf-8") as docs:
            distributed = docs.read().split("## Watch the processes")[1].split("\n## ")[0]
        named = set(re.findall(r"`(firstcome_\w+)", distributed))
        self.assertGreater(len(named), 25)
        there = set(re.findall(r"^# TYPE (\w+) ", "\n".join(pages), re.M))
        self.assertEqual(named - there, set())

    def test_verify_changes_nothing(self):
        self.create("seen", 3)
        for user in ("alice", "bob", "carol"):
            self.assertEqual(next(self.claims).claim("seen", user).status, 201)
        server.wait_for("all coupons are written", lambda: len(rows("seen")) == 3)

        def everything():
            tables = ", ".join(table for table in sql("show tables").split() if table != "issuer")  # it has the beat
            query = [word for partition in range(PARTITIONS) for word in ("-t", f"{NAME}:{partition}:-1")]
            ends = subprocess.run(["kcat", "-Q", "-b", KAFKA, *query], capture_output=True, text=True, check=True).stdout
            keys = real_servers.redis("--scan", "--pattern", NAME + "*").split()
            return sorted(ends.split("\n")), sql(f"checksum table {tables}"), sorted(keys)

        before = everything()
        self.verify()
        self.assertEqual(everything(), before)


if __name__ == "__main__":
    unittest.main(verbosity=2)
