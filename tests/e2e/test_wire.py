"""HTTP that is wrong, slow, big or rude: what each gets, and that the server goes on."""

import contextlib
import resource
import socket
import time
import unittest

import wire
from server import Server, wait_for

CLAIM = "POST /v1/campaigns/w/claims HTTP/1.1\r\nHost: x\r\n"


class Wire(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(
            Server(environment={"FIRSTCOME_HEADER_MS_MAX": "1000", "FIRSTCOME_IDLE_MS_MAX": "1500"}))
        cls.server.create("w", 1000000)

    def tearDown(self):
        # Whatever was sent, the next client is served.
        self.assertEqual(self.server.get("/livez").status, 200)

    def refused(self, raw, status, *words):
        """Sends raw bytes; the one answer has this status and these words, and the connection ends."""
        with wire.Connection(self.server.port) as connection:
            answer = connection.send(raw).answer()
            self.assertEqual(answer.status, status, f"{raw[:80]!r}: {answer}")
            self.assertEqual(answer.header("Content-Type"), "application/problem+json", answer)
            self.assertEqual(answer.json()["status"], status)
            self.assertTrue(answer.json()["title"])
            for word in words:
                self.assertIn(word, answer.text())
            self.assertEqual((answer.header("Connection") or "").lower(), "close", f"{raw[:80]!r}: {answer}")
            self.assertTrue(connection.is_closed())

    def test_url_too_long(self):
        self.refused(f"GET /{'x' * 3000} HTTP/1.1\r\nHost: x\r\n\r\n", 414)

    def test_header_too_long(self):
        self.refused(f"GET / HTTP/1.1\r\nHost: x\r\nX-Long: {'x' * 9000}\r\n\r\n", 431, "header_bytes_max")
        self.refused("GET / HTTP/1.1\r\nHost: x\r\n" + "".join(f"X-{n}: y\r\n" for n in range(2000)) + "\r\n", 431)

    def test_body_too_long(self):
        self.refused(CLAIM + "X-User: a\r\nContent-Length: 70000\r\n\r\n", 413, "body_bytes_max")
        self.refused(CLAIM + "X-User: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400)
        chunk = "4000\r\n" + "x" * 0x4000 + "\r\n"
        self.refused(CLAIM + "X-User: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 5, 413)

    def test_malformed_request_lines(self):
        for line in ("", "GET", "GET /", "GET / HTTP/1.1 x", "GET  / HTTP/1.1", "G@T / HTTP/1.1",
                     "GET / http/1.1", "GET /a b HTTP/1.1", "\x00", "GET \x00 HTTP/1.1", "GET x HTTP/1.1", "GET / HTTP/1.10"):
            with self.subTest(line=line):
                self.refused(f"{line}\r\nHost: x\r\n\r\n" if line else "\r\n\r\n\r\nX\r\n\r\n", 400)

    def test_other_versions(self):
        self.refused("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, "HTTP/1.1")

    def test_malformed_headers(self):
        for line in ("X-User alice", "X-User : alice", ": alice", "X User: alice", "X-User: a\x00b", "X-User: a\rb", "\tX: a"):
            with self.subTest(line=line):
                self.refused(f"{CLAIM}{line}\r\nContent-Length: 0\r\n\r\n", 400)

    def test_bare_line_feed(self):
        self.refused("GET /livez HTTP/1.1\nHost: x\n\n", 400)
        self.refused("GET /livez HTTP/1.1\r\nHost: x\nX: y\r\n\r\n", 400)

    def test_folded_header(self):
        self.refused(CLAIM + "X-User: al\r\n ice\r\nContent-Length: 0\r\n\r\n", 400)

    def test_high_bytes(self):
        self.refused("GET /livez\xff HTTP/1.1\r\nHost: x\r\n\r\n", 400)
        self.refused("GET /livez HTTP/1.1\r\nHost: x\r\nX-A: caf\xe9\r\n\r\n", 400)

    def test_content_length(self):
        for value in ("x", "-1", "+1", "1,1", "0x1", "1 1", ""):
            with self.subTest(value=value):
                self.refused(f"{CLAIM}X-User: a\r\nContent-Length: {value}\r\n\r\n", 400)
        self.refused(CLAIM + "X-User: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400)
        self.refused(CLAIM + "X-User: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400)

    def test_transfer_encoding(self):
        for lines in ("Content-Length: 3\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip",
                      "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: chunked, chunked",
                      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "Transfer-Encoding: xchunked",
                      "Transfer-Encoding: identity", "Transfer-Encoding:"):
            with self.subTest(lines=lines):
                self.refused(f"{CLAIM}X-User: a\r\n{lines}\r\n\r\n0\r\n\r\n", 400)

    def test_malformed_chunks(self):
        for chunks in ("x\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
                       "fffffffffffffffff\r\nhello\r\n0\r\n\r\n"):
            with self.subTest(chunks=chunks):
                self.refused(f"{CLAIM}X-User: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}", 400)

    def test_a_chunked_body_is_fine(self):
        with wire.Connection(self.server.port) as connection:
            connection.send(CLAIM + "X-User: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n")
            self.assertIn(connection.answer().status, (200, 201))
            connection.send(wire.render("GET", "/livez"))
            self.assertEqual(connection.answer().status, 200)

    def test_hosts(self):
        self.refused("GET /livez HTTP/1.1\r\n\r\n", 400, "Host")
        self.refused("GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400, "Host")

    def test_absolute_form(self):
        self.refused("GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n", 400)
        self.refused("CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n", 400)

    def test_wrong_method(self):
        for method, target, allowed in (("GET", "/v1/campaigns/w/claims", "POST"), ("DELETE", "/v1/campaigns/w", "GET"),
                                        ("POST", "/v1/campaigns/w/claims/me", "GET"), ("PUT", "/livez", "GET")):
            answer = wire.request(self.server.port, method, target, headers={"X-User": "a"})
            self.assertEqual(answer.status, 405, f"{method} {target}: {answer}")
            self.assertIn(allowed, answer.header("Allow"))
            self.assertEqual(answer.json()["status"], 405)

    def test_unknown_path(self):
        for target in ("/", "/nosuch", "/v1", "/v1/", "/v1/campaigns/w/", "/v1/campaigns/w/claims/", "/v2/campaigns/w",
                       "/v1/campaigns//claims", "/metrics", "/v1/parked"):
            answer = self.server.get(target)
            self.assertEqual(answer.status, 404, f"{target}: {answer}")
            self.assertEqual(answer.header("Content-Type"), "application/problem+json")

    def test_http_1_0(self):
        with wire.Connection(self.server.port) as connection:
            answer = connection.send("GET /livez HTTP/1.0\r\n\r\n").answer()
            self.assertEqual(answer.status, 200)
            self.assertTrue(connection.is_closed())

    def test_pipelined_in_order(self):
        with wire.Connection(self.server.port) as connection:
            users = [f"pipe{number}" for number in range(50)]
            connection.send(b"".join(
                wire.render("POST", "/v1/campaigns/w/claims", {"X-User": user}) + wire.render("GET", f"/nosuch{user}")
                for user in users))
            for user in users:
                won = connection.answer()
                self.assertEqual((won.status, won.json()["user"]), (201, user))
                self.assertEqual(connection.answer().status, 404)

    def test_pipelined_behind_a_mistake(self):
        # What came before the mistake is answered, what comes behind it is not.
        with wire.Connection(self.server.port) as connection:
            connection.send(wire.render("POST", "/v1/campaigns/w/claims", {"X-User": "before"}) +
                            b"BROKEN\r\n\r\n" + wire.render("POST", "/v1/campaigns/w/claims", {"X-User": "behind"}))
            self.assertEqual(connection.answer().status, 201)
            self.assertEqual(connection.answer().status, 400)
            self.assertTrue(connection.is_closed())
        mine = self.server.get("/v1/campaigns/w/claims/me", headers={"X-User": "behind"})
        self.assertEqual(mine.json()["answer"], "unknown")

    def test_expect_100_continue(self):
        with wire.Connection(self.server.port) as connection:
            connection.send(CLAIM + "X-User: expects\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
            self.assertEqual(connection.answer().status, 100)
            self.assertIn(connection.send("{}").answer().status, (200, 201))

    def test_unknown_expectation(self):
        with wire.Connection(self.server.port) as connection:
            answer = connection.send(CLAIM + "X-User: e\r\nExpect: tea\r\nContent-Length: 0\r\n\r\n").answer()
            self.assertEqual(answer.status, 417, answer)

    def test_header_that_drips_in(self):
        began = time.monotonic()
        with wire.Connection(self.server.port) as connection:
            connection.socket.settimeout(0.2)
            answer = None
            for byte in "GET /livez HTTP/1.1\r\nHost: " + "x" * 100:
                connection.send(byte)
                try:
                    answer = connection.answer()
                    break
                except (socket.timeout, TimeoutError):
                    continue
            self.assertIsNotNone(answer, "dripping was never ended")
            self.assertEqual(answer.status, 408)
        self.assertLess(time.monotonic() - began, 10)

    def test_body_that_drips_in(self):
        with wire.Connection(self.server.port) as connection:
            connection.send(CLAIM + "X-User: drips\r\nContent-Length: 5000\r\n\r\n{")
            self.assertEqual(connection.answer().status, 408)
            self.assertTrue(connection.is_closed())
        mine = self.server.get("/v1/campaigns/w/claims/me", headers={"X-User": "drips"})
        self.assertEqual(mine.json()["answer"], "unknown")

    def test_idle_connection_is_closed(self):
        with wire.Connection(self.server.port) as connection:
            self.assertEqual(connection.send(wire.render("GET", "/livez")).answer().status, 200)
            self.assertTrue(connection.is_closed())

    def test_client_that_leaves_while_it_waits(self):
        for number in range(200):
            with wire.Connection(self.server.port) as connection:
                connection.send(wire.render("POST", "/v1/campaigns/w/claims", {"X-User": f"leaver{number}"}))
        answer = self.server.claim("w", "leaver7")
        self.assertIn(answer.status, (200, 201))

    def test_half_closed_client_gets_its_answer(self):
        with wire.Connection(self.server.port) as connection:
            connection.send(wire.render("POST", "/v1/campaigns/w/claims", {"X-User": "half"}))
            connection.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(connection.answer().status, 201)

    def test_client_that_does_not_read(self):
        # It sends requests for ever and reads nothing: the server stops reading it, and at last lets it go.
        server = Server(environment={"FIRSTCOME_WRITE_MS_MAX": "1000"})
        with server:
            server.create("deaf", 10)
            with wire.Connection(server.port, receive_buffer=4096) as connection:
                connection.socket.settimeout(0.5)
                block = wire.render("GET", "/v1/campaigns/deaf") * 200
                sent, end = 0, time.monotonic() + 30
                closed = False
                while time.monotonic() < end and not closed:
                    try:
                        sent += connection.socket.send(block)
                    except (socket.timeout, TimeoutError):
                        continue
                    except (ConnectionResetError, BrokenPipeError):
                        closed = True
                self.assertTrue(closed, f"still open after {sent} bytes")
            resident = int(open(f"/proc/{server.process.pid}/statm").read().split()[1]) * resource.getpagesize()
            self.assertLess(resident, 600 << 20)
            self.assertEqual(server.get("/livez").status, 200)

    def test_more_connections_than_the_limit(self):
        with Server("--loops", "1", environment={"FIRSTCOME_CONNECTIONS_MAX": "20"}) as server:
            held = [wire.Connection(server.port) for _ in range(20)]
            try:
                for connection in held:
                    self.assertEqual(connection.send(wire.render("GET", "/livez")).answer().status, 200)
                with wire.Connection(server.port) as one_more:
                    try:
                        one_more.send(wire.render("GET", "/livez"))
                        self.assertTrue(one_more.is_closed())
                    except (ConnectionResetError, BrokenPipeError):
                        pass
            finally:
                for connection in held:
                    connection.close()
            wait_for("there is room again", lambda: server.get("/livez").status == 200, 10)
            metrics = server.admin("GET", "/metrics").text()
            self.assertRegex(metrics, r"firstcome_connections_refused_total(\{[^}]*\})? [1-9]")

    def test_operators_have_connections_of_their_own(self):
        with Server("--loops", "1", environment={"FIRSTCOME_CONNECTIONS_MAX": "5"}) as server:
            with contextlib.ExitStack() as held:
                for port, most in ((server.port, 5), (server.admin_port, 128)):
                    for _ in range(most):
                        connection = held.enter_context(wire.Connection(port))
                        self.assertEqual(connection.send(wire.render("GET", "/livez")).answer().status, 200)
                    with wire.Connection(port) as one_more:
                        self.assertTrue(one_more.is_closed())
