"""A `firstcome serve` that is killed, and started again on the same folder and ports."""

import contextlib
import dataclasses
import os
import random
import select
import signal
import socket
import subprocess
import time

READY = b"\n  operators "
READY_S_MAX = 60
STOP_S_MAX = 30
CONNECTIONS_MAX = 3500  # fits a modest limit of file descriptors

_OFFSET_NS = time.time_ns() - time.monotonic_ns()


class Broken(Exception):
    """A promise is broken, or the server did what it never should. `code`: what the program that says so ended with."""

    def __init__(self, what, code=None):
        super().__init__(what)
        self.code = code


def now_us():
    """Microseconds since the epoch that never go back, as in a rush's history."""
    return (time.monotonic_ns() + _OFFSET_NS) // 1000


class Port:
    """A free port of the loopback, outside of the range from which the system takes ports for outgoing connections: while
    the server is down, a client that tries to connect could be given the very port as its own, and would meet itself.

    Until close() no other Port has the same number, though the server that uses it is down again and again: the number is
    held on another address of the loopback.
    """

    HOLDER = "127.0.0.2"

    def __init__(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            first, last = map(int, file.read().split())
        outside = [*range(2000, first), *range(last + 1, 65536)]
        for number in random.SystemRandom().sample(outside, min(500, len(outside))):
            self.holder = socket.socket()
            try:
                self.holder.bind((self.HOLDER, number))
                with contextlib.closing(socket.socket()) as probe:
                    probe.bind(("127.0.0.1", number))
                self.number = number
                return
            except OSError:
                self.holder.close()
        raise RuntimeError(f"no port is free on the loopback, outside of {first} to {last}")

    def close(self):
        self.holder.close()


@dataclasses.dataclass
class Life:
    """One life of the server. Times by now_us()."""

    began_us: int
    failpoint: str | None
    ready_us: int | None = None
    killed_us: int | None = None  # just before SIGKILL was sent; none where a failpoint did it
    ended_us: int | None = None  # when it was seen to be over: all its connections are closed by then
    code: int | None = None


class Server:
    def __init__(self, program, data, log_path):
        self.program, self.data = program, data
        self.ports = [Port(), Port()]
        self.port, self.admin_port = (port.number for port in self.ports)
        self.log = open(log_path, "ab")
        self.process, self.life, self.said = None, None, b""

    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, failpoint=None):
        environment = {**os.environ, **({"FIRSTCOME_FAILPOINT": failpoint} if failpoint else {})}
        self.said = b""
        self.life = Life(now_us(), failpoint)
        self.process = subprocess.Popen(
            [self.program, "serve", "--data", self.data, "--listen", f"127.0.0.1:{self.port}",
             "--admin-listen", f"127.0.0.1:{self.admin_port}", "--connections-max", str(CONNECTIONS_MAX),
             "--issue-rate-total", "0"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.PIPE, env=environment)
        self.pidfd = os.pidfd_open(self.process.pid)
        return self.life

    def _wait(self, seconds, condition):
        """Until condition() or until it is over; true if the condition came first."""
        if self.life.code is not None:
            return condition()
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        poll.register(self.process.stderr, select.POLLIN)
        end = time.monotonic() + seconds
        while not condition():
            if self.life.code is not None:
                return False
            left = end - time.monotonic()
            if left <= 0:
                return False
            ready = [fd for fd, _ in poll.poll(left * 1000 + 1)]
            over = self.pidfd in ready
            if over:
                self.life.ended_us = now_us()
            if self.process.stderr.fileno() in ready:
                self._listen()
            if over:
                self._reap()
        return True

    def _listen(self):
        heard = os.read(self.process.stderr.fileno(), 1 << 16)
        self.log.write(heard)
        self.said = (self.said + heard)[-4096:]
        if self.life.ready_us is None and READY in self.said:
            self.life.ready_us = now_us()

    def _reap(self):
        self.life.code = self.process.wait()
        rest = self.process.stderr.read()
        self.log.write(rest)
        self.log.flush()
        self.said = (self.said + rest)[-4096:]
        self.process.stderr.close()
        os.close(self.pidfd)

    def _last_words(self):
        return self.said[-1000:].decode(errors="replace")

    def await_ready(self):
        """False: it ended first, by a failpoint."""
        if self._wait(READY_S_MAX, lambda: self.life.ready_us is not None):
            return True
        if self.life.code is None:
            raise Broken(f"the server was not ready within {READY_S_MAX} s: {self._last_words()}")
        self._expect_killed()
        return False

    def await_end(self, seconds):
        """True if it was killed within this time by its failpoint; else it goes on."""
        self._wait(seconds, lambda: False)
        if self.life.code is None:
            return False
        self._expect_killed()
        return True

    def _expect_killed(self):
        if self.life.failpoint is None or self.life.code != -signal.SIGKILL:
            raise Broken(f"nobody killed the server, and it ended with {self.life.code}: {self._last_words()}")

    def kill(self):
        self.life.killed_us = now_us()
        self.process.kill()
        self._wait(STOP_S_MAX, lambda: False)
        if self.life.code != -signal.SIGKILL:
            raise Broken(f"the server ended with {self.life.code} just before it was killed: {self._last_words()}")

    def stop(self):
        """SIGTERM; it must end with 0."""
        self.process.terminate()
        self._wait(STOP_S_MAX, lambda: False)
        if self.life.code != 0:
            raise Broken(f"after SIGTERM the server ended with {self.life.code} (None: not within {STOP_S_MAX} s): "
                         f"{self._last_words()}")

    def close(self):
        if self.process and self.life.code is None:
            self.process.kill()
            self._wait(STOP_S_MAX, lambda: False)
        self.log.close()
        for port in self.ports:
            port.close()
