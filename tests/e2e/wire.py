"""A small strict HTTP/1.1 client of our own on raw sockets, which also counts the routes that were reached."""

import json
import re
import socket

ANSWER_S_MAX = 30

# Every route of the server; the coverage at the end must have met each with an answer that only the route itself gives.
ROUTES = {
    "public": [
        ("POST", r"/v1/campaigns/[^/]+/claims"),
        ("GET", r"/v1/campaigns/[^/]+/claims/me"),
        ("GET", r"/v1/campaigns/[^/]+"),
        ("GET", r"/livez"),
        ("GET", r"/readyz"),
    ],
    "admin": [
        ("POST", r"/v1/campaigns"),
        ("GET", r"/v1/campaigns"),
        ("GET", r"/v1/campaigns/[^/]+"),
        ("GET", r"/v1/campaigns/[^/]+/coupons"),
        ("PATCH", r"/v1/campaigns/[^/]+"),
        ("GET", r"/v1/parked"),
        ("POST", r"/v1/parked/[^/]+/retry"),
        ("GET", r"/metrics"),
        ("GET", r"/livez"),
        ("GET", r"/readyz"),
    ],
}
reached = {}  # (listener, method, pattern) -> set of statuses


def note(listener, method, target, status):
    path = target.split("?")[0]
    for route_method, pattern in ROUTES[listener]:
        if method == route_method and re.fullmatch(pattern, path):
            reached.setdefault((listener, method, pattern), set()).add(status)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body!r}"

    def header(self, name):
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def text(self):
        return self.body.decode()


class Connection:
    """One TCP connection. send() takes raw bytes; answer() reads one whole answer."""

    def __init__(self, port, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(ANSWER_S_MAX)
        self.socket.connect(("127.0.0.1", port))
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw if isinstance(raw, bytes) else raw.encode("latin-1"))
        return self

    def _more(self):
        chunk = self.socket.recv(65536)
        if not chunk:
            raise ConnectionResetError(f"closed after {self.rest!r}")
        self.rest += chunk

    def answer(self, method="GET"):
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = (first + " ").split(" ", 2)
        assert version in ("HTTP/1.1", "HTTP/1.0"), first
        status = int(status)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines]
        answer = Answer(status, headers, b"")
        if status < 200 or status in (204, 304) or method == "HEAD":
            return answer
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            answer.body = self._chunks()
            return answer
        length = answer.header("Content-Length")
        assert length is not None, f"neither Content-Length nor chunks: {first} {headers}"
        while len(self.rest) < int(length):
            self._more()
        answer.body, self.rest = self.rest[: int(length)], self.rest[int(length):]
        return answer

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.rest:
                self._more()
            size, self.rest = self.rest.split(b"\r\n", 1)
            size = int(size, 16)
            while len(self.rest) < size + 2:
                self._more()
            body, self.rest = body + self.rest[:size], self.rest[size + 2:]
            if size == 0:
                return body

    def is_closed(self):
        """Waits until the server closed its side; any byte that comes instead is a failure."""
        try:
            rest = self.rest or self.socket.recv(1)
        except ConnectionResetError:
            return True
        assert rest == b"", f"expected the connection to be closed, but got {rest!r}"
        return True


def render(method, target, headers=None, body=None, host="localhost"):
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    raw = b""
    if body is not None:
        raw = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        lines.append(f"Content-Length: {len(raw)}")
    elif method in ("POST", "PATCH", "PUT"):
        lines.append("Content-Length: 0")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + raw


def request(port, method, target, headers=None, body=None, admin=False, host="localhost"):
    """One request on a connection of its own."""
    headers = dict(headers or {})
    if body is not None and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    with Connection(port) as connection:
        answer = connection.send(render(method, target, headers, body, host)).answer(method)
    note("admin" if admin else "public", method, target, answer.status)
    return answer


def coverage():
    """Prints which routes were reached and how they answered; returns those that never answered as themselves."""
    missing = []
    total = 0
    for listener, routes in ROUTES.items():
        for method, pattern in routes:
            total += 1
            statuses = reached.get((listener, method, pattern), set())
            shown = pattern.replace("[^/]+", "{}")
            print(f"  {listener:7} {method:6} {shown:30} {' '.join(map(str, sorted(statuses))) or 'never'}")
            if not statuses - {401, 404, 405}:
                missing.append(f"{listener} {method} {shown}")
    print(f"routes: {total - len(missing)} of {total} reached")
    return missing
