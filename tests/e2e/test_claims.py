"""Every answer about a claim that docs/api.md promises, and every way to ask wrongly."""

import concurrent.futures
import datetime
import re
import threading
import unittest

import wire
from server import Server, wait_for

CODE = re.compile(r"[0-9A-HJKMNP-TV-Z]{26}[0-9A-HJKMNP-TV-Z*~$=U]")  # Crockford base32 and a check symbol
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")


def moment(seconds_from_now):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds_from_now)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Claims(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())

    def assert_problem(self, answer, status, kind, *words):
        """RFC 9457: the media type, the members, and the words that tell what to do."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.header("Content-Type"), "application/problem+json", answer)
        problem = answer.json()
        self.assertEqual(problem["status"], status, problem)
        self.assertEqual(problem["type"], f"/problems/{kind}", problem)
        for member in ("title", "detail", "hint"):
            self.assertTrue(problem[member], problem)
        for word in words:
            self.assertIn(word, answer.text())
        return problem

    def assert_retry_after(self, answer):
        self.assertRegex(answer.header("Retry-After") or "", r"^[1-9]\d*$", answer)

    def test_won_and_the_same_body_for_ever(self):
        self.server.create("won", 10)
        first = self.server.claim("won", "alice")
        self.assertEqual(first.status, 201, first)
        self.assertEqual(first.header("Content-Type"), "application/json")
        self.assertEqual(first.header("Cache-Control"), "no-store")
        body = first.json()
        self.assertEqual(list(body), ["campaign", "user", "answer", "rank", "code", "claimed_at"])
        self.assertEqual((body["campaign"], body["user"], body["answer"], body["rank"]), ("won", "alice", "won", 1))
        self.assertRegex(body["code"], CODE)
        self.assertRegex(body["claimed_at"], TIME)
        for _ in range(3):
            again = self.server.claim("won", "alice")
            self.assertEqual((again.status, again.body), (200, first.body))
        mine = self.server.get("/v1/campaigns/won/claims/me", headers={"X-User": "alice"})
        self.assertEqual((mine.status, mine.body), (200, first.body))
        self.assertEqual(mine.header("Cache-Control"), "no-store")

    def test_ranks_are_in_order_and_users_differ_by_case(self):
        self.server.create("case", 10)
        users = ["alice", "Alice", "ALICE", "al", "alice-2", "!", "~"]
        ranks = [self.server.claim("case", user).json()["rank"] for user in users]
        self.assertEqual(ranks, [1, 2, 3, 4, 5, 6, 7])

    def test_two_thousand_at_once_for_a_hundred(self):
        self.server.create("rush", 100)
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda number: self.server.claim("rush", f"u{number}"), range(2000)))
        won = [answer.json() for answer in answers if answer.status == 201]
        self.assertEqual(sorted(body["rank"] for body in won), list(range(1, 101)))
        self.assertEqual(len({body["code"] for body in won}), 100)
        self.assertEqual({answer.status for answer in answers}, {201, 409})

    def test_sold_out(self):
        self.server.create("sold", 1)
        self.assertEqual(self.server.claim("sold", "first").status, 201)
        late = self.server.claim("sold", "late")
        problem = self.assert_problem(late, 409, "sold-out")
        self.assertEqual(problem["quota"], 1)
        self.assertNotIn("late", late.text())
        mine = self.server.get("/v1/campaigns/sold/claims/me", headers={"X-User": "late"})
        self.assertEqual((mine.status, mine.json()["answer"]), (200, "sold_out"))
        # A raise opens places, also for who was told sold_out; the winner keeps the place.
        self.assertEqual(self.server.admin("PATCH", "/v1/campaigns/sold", {"quota": 2}).status, 200)
        self.assertEqual(self.server.claim("sold", "late").json()["rank"], 2)
        self.assertEqual(self.assert_problem(self.server.claim("sold", "later"), 409, "sold-out")["quota"], 2)
        self.assertEqual(self.server.claim("sold", "first").json()["rank"], 1)

    def test_not_open(self):
        opens_at = moment(3600)
        self.server.create("future", 5, opens_at=opens_at)
        answer = self.server.claim("future", "alice")
        self.assertEqual(self.assert_problem(answer, 403, "not-open")["opens_at"][:19], opens_at[:19])
        self.assert_retry_after(answer)
        mine = self.server.get("/v1/campaigns/future/claims/me", headers={"X-User": "alice"})
        self.assertEqual((mine.status, mine.json()["answer"]), (200, "unknown"))

    def test_opens_by_itself(self):
        self.server.create("soon", 5, opens_at=moment(1))
        status = lambda: self.server.claim("soon", "alice").status
        wait_for("the campaign opened", lambda: status() in (200, 201), 10)

    def test_closes_by_itself(self):
        self.server.create("short", 5, closes_at=moment(6))
        self.assertEqual(self.server.claim("short", "alice").status, 201)
        state = lambda: self.server.get("/v1/campaigns/short").json()["state"]
        wait_for("the campaign closed", lambda: state() == "closed", 20)
        self.assert_problem(self.server.claim("short", "bob"), 410, "closed")
        self.assertEqual(self.server.claim("short", "alice").status, 200)  # a winner stays one
        mine = self.server.get("/v1/campaigns/short/claims/me", headers={"X-User": "bob"})
        self.assertEqual((mine.status, mine.json()["answer"]), (200, "closed"))

    def test_paused_and_resumed(self):
        self.server.create("pause", 5)
        self.assertEqual(self.server.claim("pause", "alice").status, 201)
        self.assertEqual(self.server.admin("PATCH", "/v1/campaigns/pause", {"paused": True}).status, 200)
        answer = self.server.claim("pause", "bob")
        self.assert_problem(answer, 403, "paused")
        self.assert_retry_after(answer)
        self.assertEqual(self.server.claim("pause", "alice").status, 200)
        self.assertEqual(self.server.admin("PATCH", "/v1/campaigns/pause", {"paused": False}).status, 200)
        self.assertEqual(self.server.claim("pause", "bob").status, 201)

    def test_closed(self):
        self.server.create("over", 5)
        self.assertEqual(self.server.claim("over", "alice").status, 201)
        self.assertEqual(self.server.admin("PATCH", "/v1/campaigns/over", {"closed": True}).status, 200)
        self.assert_problem(self.server.claim("over", "bob"), 410, "closed")
        self.assertEqual(self.server.claim("over", "alice").status, 200)

    def test_unknown_campaign(self):
        self.assert_problem(self.server.claim("nosuch", "alice"), 404, "no-campaign")
        self.assertEqual(self.server.get("/v1/campaigns/nosuch").status, 404)
        mine = self.server.get("/v1/campaigns/nosuch/claims/me", headers={"X-User": "alice"})
        self.assertEqual(mine.status, 404)

    def test_bad_campaign_id(self):
        for bad in ("UPPER", "a_b", "a%20b", "x" * 64, "a.b"):
            self.assert_problem(self.server.claim(bad, "alice"), 404, "bad-campaign-id")

    def test_no_identity(self):
        self.server.create("who", 5)
        answer = wire.request(self.server.port, "POST", "/v1/campaigns/who/claims")
        self.assert_problem(answer, 401, "no-identity", "X-User")
        self.assertEqual(self.server.get("/v1/campaigns/who/claims/me").status, 401)

    def test_never_from_the_query_or_the_body(self):
        self.server.create("query", 5)
        answer = wire.request(self.server.port, "POST", "/v1/campaigns/query/claims?user=bob", body={"user": "bob"})
        self.assertEqual(answer.status, 401)
        answer = wire.request(
            self.server.port, "POST", "/v1/campaigns/query/claims?user=bob", headers={"X-User": "alice"}, body={"user": "bob"})
        self.assertEqual((answer.status, answer.json()["user"]), (201, "alice"))

    def test_two_identity_headers(self):
        self.server.create("two", 5)
        with wire.Connection(self.server.port) as connection:
            connection.send("POST /v1/campaigns/two/claims HTTP/1.1\r\nHost: x\r\nX-User: alice\r\nx-user: bob\r\n"
                            "Content-Length: 0\r\n\r\n")
            self.assert_problem(connection.answer(), 401, "no-identity", "X-User")
        self.assertEqual(self.server.get("/v1/campaigns/two").json()["remaining"], 5)

    def test_bad_users(self):
        self.server.create("users", 5)
        for bad in ("", " ", "a b", "a\tb", "x" * 65):
            self.assert_problem(self.server.claim("users", bad), 401, "no-identity")
        for bad in ("alic\xe9", "a\x7fb", "a\x01b"):
            with wire.Connection(self.server.port) as connection:
                connection.send(wire.render("POST", "/v1/campaigns/users/claims", {"X-User": bad}))
                self.assertIn(connection.answer().status, (400, 401), repr(bad))
        self.assertEqual(self.server.claim("users", "x" * 64).status, 201)
        self.assertEqual(self.server.get("/v1/campaigns/users").json()["remaining"], 4)

    def test_campaign_and_its_etag(self):
        self.server.create("page", 3, name="Lunch & more")
        answer = self.server.get("/v1/campaigns/page")
        self.assertEqual(answer.status, 200)
        body = answer.json()
        self.assertEqual((body["campaign"], body["name"], body["quota"], body["remaining"], body["state"]),
                         ("page", "Lunch & more", 3, 3, "open"))
        self.assertIn("opens_at", body)
        self.assertIn("closes_at", body)
        self.assertRegex(answer.header("Server-Time"), TIME)
        tag = answer.header("ETag")
        self.assertRegex(tag, r'^(W/)?"[^"]+"$')
        same = self.server.get("/v1/campaigns/page", headers={"If-None-Match": tag})
        self.assertEqual((same.status, same.body), (304, b""))
        self.assertEqual(same.header("ETag"), tag)
        self.server.claim("page", "alice")
        changed = self.server.get("/v1/campaigns/page", headers={"If-None-Match": tag})
        self.assertEqual((changed.status, changed.json()["remaining"]), (200, 2))

    def test_states(self):
        state = lambda campaign: self.server.get(f"/v1/campaigns/{campaign}").json()["state"]
        self.server.create("s-scheduled", 1, opens_at=moment(3600))
        self.assertEqual(state("s-scheduled"), "scheduled")
        self.server.create("s-open", 1)
        self.assertEqual(state("s-open"), "open")
        self.server.admin("PATCH", "/v1/campaigns/s-open", {"paused": True})
        self.assertEqual(state("s-open"), "paused")
        self.server.admin("PATCH", "/v1/campaigns/s-open", {"paused": False})
        self.server.claim("s-open", "alice")
        self.assertEqual(state("s-open"), "sealed")
        self.server.admin("PATCH", "/v1/campaigns/s-open", {"closed": True})
        self.assertEqual(state("s-open"), "sealed")  # sealed says more: all places are taken
        self.server.create("s-closed", 1)
        self.server.admin("PATCH", "/v1/campaigns/s-closed", {"closed": True})
        self.assertEqual(state("s-closed"), "closed")

    def test_health(self):
        for port, admin in ((self.server.port, False), (self.server.admin_port, True)):
            for path in ("/livez", "/readyz"):
                self.assertEqual(wire.request(port, "GET", path, admin=admin).status, 200, path)


class Busy(unittest.TestCase):
    """What is answered when the answer is not known yet."""

    def test_pending_when_too_many_wait(self):
        # One claim may wait; of many at once some are told to ask again, and asking again ends well.
        with Server(environment={"FIRSTCOME_WAITING_CLAIMS_MAX": "1"}) as server:
            server.create("full", 100000)
            seen, stop, lock = {}, threading.Event(), threading.Lock()

            def ask(worker):
                number = 0
                while not stop.is_set() and number < 2000:
                    answer = server.claim("full", f"u{worker}-{number}")
                    with lock:
                        seen.setdefault(answer.status, answer)
                    if 202 in seen:
                        stop.set()
                    number += 1

            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(ask, range(16)))
            self.assertIn(202, seen, f"only {sorted(seen)}")
            pending = seen[202]
            self.assertEqual(pending.json()["answer"], "pending")
            self.assertRegex(pending.header("Retry-After") or "", r"^[1-9]\d*$")
            self.assertEqual(pending.header("Cache-Control"), "no-store")
            user = "again"
            wait_for("asking again won", lambda: server.claim("full", user).status in (200, 201), 10)

    def test_untrusted_proxy(self):
        # The header counts only from the addresses named as trusted, and this client is not one of them.
        with Server("--identity", "header:X-User", settings='identity_trusted = ["192.0.2.7"]\n') as server:
            server.create("proxy", 5)
            answer = server.claim("proxy", "alice")
            self.assertEqual(answer.status, 401, answer)
            self.assertIn("127.0.0.1", answer.text())
            self.assertIn("firstcome_requests_unnamed_total 1\n", server.admin("GET", "/metrics").text())

    def test_another_header(self):
        with Server("--identity", "header:X-Member") as server:
            server.create("member", 5)
            self.assertEqual(server.claim("member", "alice").status, 401)
            answer = wire.request(server.port, "POST", "/v1/campaigns/member/claims", headers={"X-Member": "alice"})
            self.assertEqual((answer.status, answer.json()["user"]), (201, "alice"))
