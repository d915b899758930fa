"""What is measured, each in a process of its own on the first core, and the load on the second one."""

import concurrent.futures
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("BENCH_BUILD", ROOT / "build/release"))
FIRSTCOME, FLOOR, LOAD = BUILD / "firstcome", BUILD / "bench/floor", BUILD / "bench/load"
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
START_S_MAX = 60


class Broken(Exception):
    """Something that should work did not: no row can be made of it."""


def wait_for(what, condition, seconds=START_S_MAX):
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise Broken(f"after {seconds} s still not: {what}")
        time.sleep(0.002)
    return value


def on_core(*cores):
    return lambda: os.sched_setaffinity(0, cores)


def ask(port, method, path, body=None):
    """One request; the whole answer as it came, and its body."""
    text = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-User: probe\r\n"
    content = json.dumps(body).encode() if body is not None else b""
    text += f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n" if body is not None else "\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text.encode() + content)
        answer = b""
        while b"\r\n\r\n" not in answer or len(answer) < whole_bytes(answer):
            if not (got := connection.recv(1 << 16)):
                break
            answer += got
    return answer


def whole_bytes(answer):
    head = answer[: answer.index(b"\r\n\r\n") + 4]
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    return len(head) + (int(length[1]) if length else 0)


class Process:
    """A server, on the server's core if it is not told otherwise. Leaving ends it, by its pid."""

    started = []  # all; who fails before he is entered is ended by stop_all

    def __init__(self, command, log, cores=(SERVER_CORE,)):
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                preexec_fn=on_core(*cores),
            )
        self.pid = self.process.pid
        Process.started.append(self)

    @staticmethod
    def stop_all():
        for process in Process.started:
            process.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        return self.process.returncode

    def said(self):
        return self.log.read_text(errors="replace")

    def alive(self):
        if self.process.poll() is not None:
            raise Broken(f"the server ended with {self.process.returncode}: {self.said()[-2000:]}")
        return True

    def cpu(self):
        """Seconds of the processor that all threads have used, user and system: to the nanosecond, as the scheduler counts."""
        spent = 0
        for thread in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
        return spent / 1e9

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{self.pid}/status").read_text())[1]) * 1024


USERS_LISTENER = ["--listen", "127.0.0.1:0", "--loops", 1, "--connections-max", 12000]


class Firstcome(Process):
    """`firstcome serve` with one loop, and whatever else it does on the same core."""

    def __init__(self, folder, *options):
        folder.mkdir(exist_ok=True)
        self.data = folder / "data"
        self.serve(folder / "server.log", ["--data", self.data, *USERS_LISTENER, *options])

    def serve(self, log, options, cores=(SERVER_CORE,)):
        """Starts it and waits until it is ready. An issuer has no listener for users, and no port then."""
        began = time.monotonic()
        Process.__init__(self, [FIRSTCOME, "serve", "--admin-listen", "127.0.0.1:0", *options], log, cores)
        ready = r"is ready: .*\n(?:\s*users ask\s+http://127\.0\.0\.1:(\d+)\n)?\s*operators\s+http://127\.0\.0\.1:(\d+)\n"
        found = wait_for("the server is ready", lambda: self.alive() and re.search(ready, self.said()))
        self.seconds_until_ready, self.cpu_until_ready = time.monotonic() - began, self.cpu()
        self.port, self.admin_port = int(found[1] or 0), int(found[2])

    def create(self, campaigns, quota, **terms):
        """`lunch`, or as many as are named c00000 on: several at once, so that they share commits."""
        names = ["lunch"] if campaigns == 1 else [f"c{i:05}" for i in range(campaigns)]
        creators = 32

        def create_some(mine):
            connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
            for name in mine:
                wanted = {"id": name, "quota": quota, **terms}
                connection.request("POST", "/v1/campaigns", json.dumps(wanted), {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != 201:
                    raise Broken(f"campaign {name} was not made: {answer.status} {text.decode()}")
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(creators) as pool:
            list(pool.map(create_some, (names[i::creators] for i in range(creators))))

    def seal(self, campaigns, quota):
        """The last users that a load can name win; the rows' own users are then refused."""
        wins = campaigns * quota
        load(self, campaigns=campaigns, quota=quota, requests=wins, connections=min(wins, 512), first_user=winners_from)

    def metric(self, name):
        page = ask(self.admin_port, "GET", "/metrics").decode()
        return float(re.search(rf"^{name} (\S+)$", page, re.M)[1])

    def wait_until_written(self):
        wait_for("all coupons are in the store", lambda: self.metric("firstcome_coupons_owed") == 0, 300)

    def verify(self):
        verify(self.data)


winners_from = 90_000_000


def verify(data):
    """Every promise, on the folder; returns the CPU seconds that it took."""
    return verify_at("--data", data)


def verify_at(*place):
    command = [str(FIRSTCOME), "verify", *(str(word) for word in place), "--json"]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=on_core(SERVER_CORE))
    told = run.stdout.read()
    _, status, spent = os.wait4(run.pid, 0)
    run.returncode = os.waitstatus_to_exitcode(status)
    run.stdout.close()
    if run.returncode != 0 or not json.loads(told)["exact"]:
        raise Broken(f"verify found a broken promise (exit code {run.returncode}): {told.decode()[:4000]}")
    return spent.ru_utime + spent.ru_stime


class Floor(Process):
    def __init__(self, folder, answer, win=False):
        folder.mkdir(exist_ok=True)
        (folder / "answer").write_bytes(answer)
        command = [FLOOR, "win" if win else "refuse", folder / "answer", *([folder] if win else [])]
        super().__init__(command, folder / "floor.log")
        self.port = int(self.process.stdout.readline() or 0)
        if not self.port:
            raise Broken(f"the floor did not start: {self.said()}")


class Run:
    """What came of one load: `cpu` seconds of the server, wall `seconds`, answers, latencies."""

    def __init__(self, told, cpu):
        self.cpu, self.seconds, self.answers = cpu, told["seconds"], told["answers"]
        self.p50_us, self.p99_us = told["p50_us"], told["p99_us"]
        self.asked_again = told["asked_again"]
        self.cpu_us = cpu / self.answers * 1e6
        self.per_second = self.answers / self.seconds


class Load:
    """The load, connected and warm. go() sends its claims; result() is what it told when all were answered."""

    def __init__(self, port, cores=(LOAD_CORE,), spin=LOAD_CORE != SERVER_CORE, **options):
        command = [str(LOAD), "--port", str(port), "--spin", str(int(spin))]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=on_core(*cores))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()

    def _line(self):
        return self.process.stdout.readline() or self._broken()

    def _broken(self):
        raise Broken(self.process.stderr.read())

    def wait_until_warm(self):
        self._line()

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def result(self):
        return json.loads(self._line())

    def end(self):
        self.process.communicate(timeout=30)


def load(server, **options):
    """Runs `load` against the server; every answer is checked there."""
    with Load(server.port, **options) as process:
        process.wait_until_warm()
        before = server.cpu()
        process.go()
        told = process.result()
        spent = server.cpu() - before
        process.end()
        return Run(told, spent)
