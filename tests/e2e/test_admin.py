"""The operator's requests: what each answers, and every way to send one wrongly."""

import csv
import io
import json
import sqlite3
import re
import subprocess
import unittest

from server import Server, wait_for


class Admin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())

    def refused(self, method, target, body, status, *words):
        answer = self.server.admin(method, target, body)
        self.assertEqual(answer.status, status, f"{method} {target} {body!r}: {answer}")
        self.assertEqual(answer.header("Content-Type"), "application/problem+json", answer)
        self.assertEqual(answer.json()["status"], status)
        for word in words:
            self.assertIn(word, answer.text(), f"{body!r}")
        return answer

    def test_create_twice(self):
        wanted = {"id": "twice", "name": "Lunch", "quota": 5, "issue_rate": 100}
        first = self.server.admin("POST", "/v1/campaigns", wanted)
        self.assertEqual(first.status, 201, first)
        again = self.server.admin("POST", "/v1/campaigns", wanted)
        self.assertEqual(again.status, 200, again)
        for change in ({"quota": 6}, {"name": "Dinner"}, {"issue_rate": 99}, {"closes_at": "2099-01-01T00:00:00Z"}):
            self.refused("POST", "/v1/campaigns", {**wanted, **change}, 409, "/problems/campaign-exists")
        self.assertEqual(first.json()["campaign"], again.json()["campaign"])
        one = self.server.admin("GET", "/v1/campaigns/twice")
        self.assertEqual((one.status, one.json()["quota"], one.json()["issue_rate"]), (200, 5, 100))

    def test_left_out_stays_left_out(self):
        self.assertEqual(self.server.admin("POST", "/v1/campaigns", {"id": "bare", "quota": 5}).status, 201)
        self.assertEqual(self.server.admin("POST", "/v1/campaigns", {"id": "bare", "quota": 5}).status, 200)

    def test_bodies_that_are_wrong(self):
        good = {"id": "wrong", "quota": 5}
        cases = [
            ("", "JSON"), ("{", "JSON"), ("[]", "object"), ("nul", "JSON"), ('{"id":"wrong","quota":5}x', "JSON"),
            ('{"id":"wrong","quota":5,"quota":6}', "quota"), ('{"id":"wrong","id":"wrong","quota":5}', "id"),
            ({**good, "qouta": 5}, "did you mean"), ({"quota": 5}, "id"), ({"id": "wrong"}, "quota"),
            ({**good, "quota": 0}, "quota"), ({**good, "quota": -1}, "quota"), ({**good, "quota": 1.5}, "quota"),
            ({**good, "quota": "5"}, "quota"), ({**good, "quota": 10**9}, "quota_max"), ({**good, "quota": 10**30}, "quota"),
            ({**good, "id": "UPPER"}, "id"), ({**good, "id": ""}, "id"), ({**good, "id": "x" * 64}, "id"),
            ({**good, "id": 7}, "id"), ({**good, "name": "x" * 5000}, "name"),
            ({**good, "opens_at": "tomorrow"}, "opens_at"), ({**good, "opens_at": "2026-02-30T00:00:00Z"}, "opens_at"),
            ({**good, "opens_at": 5}, "opens_at"),
            ({**good, "opens_at": "2099-01-02T00:00:00Z", "closes_at": "2099-01-01T00:00:00Z"}, "closes_at"),
            ({**good, "issue_rate": -1}, "issue_rate"), ({**good, "issue_rate": "fast"}, "issue_rate"),
            ({**good, "promise": "moon"}, "promise"),
        ]
        for body, word in cases:
            with self.subTest(body=body):
                self.refused("POST", "/v1/campaigns", body, 400, word)
        self.assertEqual(self.server.get("/v1/campaigns/wrong").status, 404)

    def test_bytes_that_are_no_text(self):
        self.refused("POST", "/v1/campaigns", b'{"id":"bytes","quota":5,"name":"\xff\xfe"}', 400)
        self.refused("POST", "/v1/campaigns", b"[" * 50000, 400)

    def test_patches_that_are_wrong(self):
        self.server.create("patch", 10)
        target = "/v1/campaigns/patch"
        self.refused("PATCH", target, {"quota": 9}, 409, "/problems/quota-not-raised")
        for body, word in (("{", "JSON"), ({}, ""), ({"quota": 0}, "quota"), ({"quota": 10**9}, "quota_max"),
                           ({"closed": False}, "closed"), ({"paused": 1}, "paused"), ({"closes_at": "late"}, "closes_at"),
                           ({"id": "other"}, "id"), ('{"quota":11,"quota":12}', "quota")):
            with self.subTest(body=body):
                self.refused("PATCH", target, body, 400, word)
        self.assertEqual(self.server.get(target).json()["quota"], 10)
        self.refused("PATCH", "/v1/campaigns/nosuch", {"quota": 9}, 404, "/problems/no-campaign")

    def test_patches(self):
        self.server.create("patched", 10)
        target = "/v1/campaigns/patched"
        self.assertEqual(self.server.admin("PATCH", target, {"quota": 20}).json()["quota"], 20)
        answer = self.server.admin("PATCH", target, {"closes_at": "2099-01-01T00:00:00Z"})
        self.assertEqual((answer.status, answer.json()["closes_at"][:19]), (200, "2099-01-01T00:00:00"))
        self.assertEqual(self.server.admin("PATCH", target, {"closed": True}).json()["state"], "closed")

    def test_nothing_after_closed(self):
        self.server.create("done", 10)
        self.assertEqual(self.server.admin("PATCH", "/v1/campaigns/done", {"closed": True}).status, 200)
        for body in ({"quota": 11}, {"paused": True}, {"closes_at": "2099-01-01T00:00:00Z"}):
            self.refused("PATCH", "/v1/campaigns/done", body, 409, "/problems/closed")

    def test_wrong_method_and_path(self):
        for method, target, allowed in (("DELETE", "/v1/campaigns", "GET"), ("PUT", "/v1/campaigns/x", "PATCH"),
                                        ("POST", "/metrics", "GET"), ("GET", "/v1/parked/1/retry", "POST")):
            answer = self.server.admin(method, target)
            self.assertEqual(answer.status, 405, f"{method} {target}: {answer}")
            self.assertIn(allowed, answer.header("Allow"))
        self.assertEqual(self.server.admin("GET", "/nosuch").status, 404)

    def test_campaigns_in_pages(self):
        for number in range(5):
            self.server.create(f"list-{number}", 1)
        answer = self.server.admin("GET", "/v1/campaigns")
        self.assertEqual(answer.status, 200)
        ids = [campaign["campaign"] for campaign in answer.json()["campaigns"]]
        self.assertLessEqual({f"list-{number}" for number in range(5)}, set(ids))
        paged, after = [], ""
        for _ in range(100):
            page = self.server.admin("GET", f"/v1/campaigns?limit=2{after}").json()
            self.assertLessEqual(len(page["campaigns"]), 2)
            paged += [campaign["campaign"] for campaign in page["campaigns"]]
            if not page.get("next"):
                break
            after = f"&after={page['next']}"
        self.assertEqual(sorted(paged), sorted(ids))
        self.refused("GET", "/v1/campaigns?limit=x", None, 400, "limit")

    def test_coupons(self):
        self.server.create("owned", 5, issue_rate=0)
        won = {user: self.server.claim("owned", user).json() for user in ("alice", "Alice", "bob")}
        target = "/v1/campaigns/owned/coupons"
        coupons = lambda: self.server.admin("GET", target).json()["coupons"]
        wait_for("three coupons are written", lambda: len(coupons()) == 3)
        for coupon in coupons():
            mine = won[coupon["user"]]
            self.assertEqual((coupon["rank"], coupon["code"]), (mine["rank"], mine["code"]))
        lines = self.server.admin("GET", f"{target}?format=jsonl")
        self.assertEqual(lines.header("Content-Type"), "application/x-ndjson")
        self.assertEqual([json.loads(line)["rank"] for line in lines.text().splitlines()], [1, 2, 3])
        page = self.server.admin("GET", f"{target}?format=jsonl&limit=2")
        self.assertEqual([json.loads(line)["rank"] for line in page.text().splitlines()], [1, 2])
        rest = self.server.admin("GET", f"{target}?after={page.header('Next-After')}").json()
        self.assertEqual(([coupon["rank"] for coupon in rest["coupons"]], rest["next"]), ([3], None))
        table = self.server.admin("GET", f"{target}?format=csv")
        self.assertTrue(table.header("Content-Type").startswith("text/csv"))
        rows = list(csv.DictReader(io.StringIO(table.text())))
        self.assertEqual([row["user"] for row in rows], ["alice", "Alice", "bob"])
        self.assertEqual(self.server.admin("GET", "/v1/campaigns/nosuch/coupons").status, 404)

    def test_without_a_token_a_page_with_a_name_of_its_own_may_nothing(self):
        self.server.create("rebound", 5)
        evil = f"evil.test:{self.server.admin_port}"
        for method, target, body in (("GET", "/v1/campaigns", None), ("GET", "/v1/campaigns/rebound/coupons", None),
                                     ("PATCH", "/v1/campaigns/rebound", {"closed": True}), ("POST", "/v1/parked/1/retry", None)):
            answer = self.server.admin(method, target, body, host=evil, headers={"Origin": f"http://{evil}"})
            self.assertEqual((answer.status, answer.json()["type"]), (403, "/problems/foreign-host"), answer)
            self.assertIn("--admin-token-file", answer.json()["hint"])
        self.assertEqual(self.server.get("/v1/campaigns/rebound").json()["state"], "open")
        for host in ("127.0.0.1", f"[::1]:{self.server.admin_port}", "LOCALHOST"):
            self.assertEqual(self.server.admin("GET", "/v1/campaigns", host=host).status, 200)
        for open_to_all in ("/metrics", "/livez", "/readyz"):
            self.assertEqual(self.server.admin("GET", open_to_all, host=evil).status, 200)

    def test_metrics(self):
        def entries(effect):
            found = re.search(rf'^firstcome_entries_total{{effect="{effect}"}} (\d+)$',
                              self.server.admin("GET", "/metrics").text(), re.M)
            return int(found[1])

        won, surplus = entries("won"), entries("surplus")
        self.server.create("metrics", 1)
        self.assertEqual(self.server.claim("metrics", "alice").status, 201)
        self.assertEqual((entries("won"), entries("surplus")), (won + 1, surplus))
        answer = self.server.admin("GET", "/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.header("Content-Type").startswith("text/plain"))
        for name in ("firstcome_claims_total", "firstcome_build_info", "firstcome_requests_waiting", "firstcome_clients_left_total",
                     "firstcome_connections_refused_total", "firstcome_connections_idle_total",
                     "firstcome_connections_unread_total", "firstcome_connections_drain_cut_total",
                     "firstcome_issuer_take_overs_total 1\n", "firstcome_issuer_beat_seconds", "firstcome_issuer_rank"):
            self.assertIn(name, answer.text())
        judged = subprocess.run(["promtool", "check", "metrics"], input=answer.text(), capture_output=True, text=True)
        self.assertEqual((judged.returncode, judged.stdout + judged.stderr), (0, ""))


class Token(unittest.TestCase):
    def test_token(self):
        with Server(environment={"FIRSTCOME_ADMIN_TOKEN": "s3cret-s3cret-s3cret"}) as server:
            body = {"id": "token", "quota": 5}
            for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic s3cret-s3cret-s3cret"},
                            {"Authorization": "Bearer s3cret-s3cret-s3cre"}, {"Authorization": "Bearer"}):
                with self.subTest(headers=headers):
                    answer = server.admin("POST", "/v1/campaigns", body, headers=headers)
                    self.assertEqual(answer.status, 401, answer)
                    self.assertEqual(answer.header("WWW-Authenticate"), "Bearer")
                    self.assertEqual(answer.header("Content-Type"), "application/problem+json")
            self.assertEqual(server.get("/v1/campaigns/token").status, 404)
            right = {"Authorization": "Bearer s3cret-s3cret-s3cret"}
            self.assertEqual(server.admin("POST", "/v1/campaigns", body, headers=right).status, 201)
            for open_to_all in ("/metrics", "/livez", "/readyz"):
                self.assertEqual(server.admin("GET", open_to_all).status, 200)


class Parked(unittest.TestCase):
    def test_a_coupon_that_the_store_refuses(self):
        # A rule that somebody put into the store refuses one user; the coupon is parked, owed, and written once the rule is gone.
        with Server() as server:
            server.create("parked", 3, issue_rate=0)
            self.assertEqual(server.admin("GET", "/v1/parked").json()["parked"], [])
            store = server.data / "store.db"
            wait_for("the store knows the campaign", lambda: self.ask(store, "select count(*) from campaign")[0][0] == 1)
            self.ask(store, "create trigger no_mallory before insert on coupon when cast(new.user as text) = 'mallory' "
                            "begin select raise(abort, 'not her'); end")
            for user in ("alice", "mallory", "bob"):
                self.assertEqual(server.claim("parked", user).status, 201)
            parked = lambda: server.admin("GET", "/v1/parked").json()["parked"]
            wait_for("one coupon is parked", lambda: len(parked()) == 1)
            one = parked()[0]
            self.assertEqual((one["campaign"], one["user"], one["rank"]), ("parked", "mallory", 2))
            retry = f"/v1/parked/{one['number']}/retry"
            still = server.admin("POST", retry)
            self.assertEqual((still.status, still.json()["type"]), (409, "/problems/still-refused"))
            self.assertIn("not her", still.text())
            self.ask(store, "drop trigger no_mallory")
            self.assertEqual(server.admin("POST", retry).status, 200)
            wait_for("nothing is parked", lambda: not parked())
            self.assertEqual(server.admin("POST", "/v1/parked/999/retry").status, 404)
            self.assertEqual(server.admin("POST", "/v1/parked/x/retry").status, 400)

    @staticmethod
    def ask(store, sql):
        with sqlite3.connect(store, timeout=10) as connection:
            return connection.execute(sql).fetchall()
