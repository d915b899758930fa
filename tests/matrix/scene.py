"""One cell's scene: two apis and two issuers on a topic, a database and a prefix of their own, a rush upon them, and the
proof at the end."""

import json
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

from servers import BASE, USER, metric

QUOTA, USERS, RATE = 2000, 3000, 500  # sealed after 4 s and more of a rush that takes 6
FINAL_S_MAX = 60
ISSUED_S_MAX = 40
READY_S_MAX = 30
NAMES = ("api-1", "api-2", "issuer-1", "issuer-2")
CAMPAIGN = "lunch"


class Broken(Exception):
    """A promise is broken, or a process did what it never should."""


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() >= end:
            raise Broken(f"not within {seconds} s: {what}")
        time.sleep(0.02)


class Process:
    """An api or an issuer, whose links to the servers are its own."""

    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        self.link = NAMES.index(name) + 1
        self.is_api = name.startswith("api")
        self.port, self.admin_port = BASE + 830 + self.link, BASE + 840 + self.link
        self.log = f"{scene.folder}/{name}.log"
        self.process = None

    def links(self):
        mine = [f"{broker}-{self.link}" for broker in self.scene.brokers]
        return mine + ([f"redis-{self.link}", f"users-{self.link}"] if self.is_api else [f"mariadb-{self.link}"])

    def start(self, environment=None, prefix=()):
        scene = self.scene
        brokers = ",".join(f"127.0.0.1:{scene.servers.port(broker) + 600 + 10 * self.link}" for broker in scene.brokers)
        words = [scene.program, "serve", "--role", "api" if self.is_api else "issuer", "--journal",
                 f"kafka://{brokers}/{scene.topic}", "--admin-listen", f"127.0.0.1:{self.admin_port}"]
        if self.is_api:
            gate = scene.gates.get(self.name, f"redis://127.0.0.1:{BASE + 800 + self.link}")
            words += ["--listen", f"127.0.0.1:{self.port}", "--gate", gate, "--gate-prefix", scene.topic, "--loops", "1"]
        else:
            words += ["--store", f"mysql://{USER}@127.0.0.1:{BASE + 810 + self.link}/{scene.database}"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*prefix, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})})

    def url(self):
        return f"http://127.0.0.1:{self.admin_port}"

    def get(self, path):
        with urllib.request.urlopen(self.url() + path, timeout=10) as answer:
            return answer.read().decode()

    def is_ready(self):
        if self.process.poll() is not None:
            raise Broken(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
        try:
            self.get("/readyz")
            return True
        except OSError:
            return False

    def why_not_ready(self):
        try:
            self.get("/readyz")
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError:
            pass  # it does not listen yet
        return ""

    def await_ready(self):
        wait_until(self.is_ready, READY_S_MAX, f"{self.name} is ready: {self.last_words()}")

    def metric(self, name):
        return metric(self.get("/metrics"), name)

    def at_work(self):
        return self.metric("firstcome_issuer_at_work") == 1

    def kill(self):
        self.process.kill()
        self.process.wait()

    def send(self, number):
        self.process.send_signal(number)

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:]

    def end(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Scene:
    def __init__(self, program, servers, folder, name, brokers):
        self.program, self.servers, self.folder, self.brokers = program, servers, folder, brokers
        os.makedirs(folder)
        self.topic = f"{name}-{os.getpid()}-{time.monotonic_ns()}"
        self.database = self.topic.replace("-", "_")
        self.gates = {}
        self.operator, self.faketime = os.environ["KAFKA_OPERATOR"], os.environ["FAKETIME_LIBRARY"]
        self.quota = QUOTA
        self.rush = None
        self.history = f"{folder}/history"
        self.processes = {each: Process(self, each) for each in NAMES}
        for process in self.processes.values():
            setattr(self, process.name.replace("-", "_"), process)

    # Before the rush.

    def direct_journal(self):
        return f"kafka://{','.join(f'127.0.0.1:{self.servers.port(one)}' for one in self.brokers)}/{self.topic}"

    def store(self):
        return f"mysql://{USER}@127.0.0.1:{self.servers.port('mariadb')}/{self.database}"

    def run(self, *words, codes=(0,)):
        ran = subprocess.run([self.program, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             timeout=120)
        if ran.returncode not in codes:
            raise Broken(f"firstcome {' '.join(words)} ended with {ran.returncode}: {ran.stdout[-3000:]}{ran.stderr}")
        return ran.stdout

    def begin(self):
        self.servers.sql(f"create database {self.database}")
        self.run("topic", "create", "--journal", self.direct_journal())
        self.run("store", "migrate", "--store", self.store())
        for process in self.processes.values():
            process.start()
        for process in self.processes.values():
            process.await_ready()
        wait_until(self.working_issuer, 10, "an issuer is at work")
        self.run("campaign", "create", CAMPAIGN, "--quota", str(QUOTA), "--admin-url", self.api_1.url())
        wait_until(lambda: all(one.metric("firstcome_campaigns") == 1 for one in (self.api_1, self.api_2)), 10,
                   "both apis know the campaign")

    def working_issuer(self):
        for one in (self.issuer_1, self.issuer_2):
            if one.process.poll() is None and one.at_work():
                return one
        return None

    def spare(self, working):
        return self.issuer_2 if working is self.issuer_1 else self.issuer_1

    def start_rush(self):
        urls = [word for link in (1, 2) for word in ("--url", f"http://127.0.0.1:{BASE + 820 + link}")]
        with open(f"{self.folder}/rush.json", "wb") as report, open(f"{self.folder}/rush.log", "wb") as log:
            self.rush = subprocess.Popen(
                [self.program, "rush", CAMPAIGN, *urls, "--users", str(USERS), "--rate", str(RATE), "--repeat", "0.3",
                 "--connections", "64", "--persist", "--history", self.history, "--answer-ms-max", "3000",
                 "--retry-after-ms-max", "300", "--attempts-max", "1000", "--seconds-max", str(FINAL_S_MAX + 30),
                 "--json"], stdin=subprocess.DEVNULL, stdout=report, stderr=log)

    # What was felt.

    def total(self, name, only=NAMES):
        """Over the processes that are alive and answer."""
        sum_of_all = 0.0
        for one in only:
            process = self.processes[one]
            if process.process.poll() is None:
                sum_of_all += process.metric(name)
        return sum_of_all

    def attempts(self):
        with open(self.history, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def disturbed(self):
        """Attempts that were cut, told to ask again, or took longer than a second."""
        return sum(1 for one in self.attempts()
                   if one["answer"] in ("cut", "pending", "fault") or (one.get("return_us") or 0) - one["call_us"] > 1_000_000)

    # The topic, as anybody sees it.

    def address(self):
        return f"127.0.0.1:{self.servers.port(self.brokers[0])}"

    def tickets(self):
        """Entries of the journal's only partition, the operators' few among them."""
        return int(self.api_2.metric("firstcome_journal_position")) - 2

    def leader(self):
        listed = json.loads(subprocess.run(["kcat", "-b", self.address(), "-L", "-J", "-t", self.topic],
                                           stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=20).stdout)
        number = listed["topics"][0]["partitions"][0]["leader"]
        return self.brokers[number - 1]

    def read_messages(self, count):
        """The bodies of the last ones."""
        position = int(self.api_2.metric("firstcome_journal_position"))
        raw = subprocess.run(["kcat", "-C", "-b", self.address(), "-t", self.topic, "-p", "0", "-o",
                              str(max(2, position - count)), "-c", str(min(count, position - 2)), "-e", "-q", "-u",
                              "-f", "%S:%s"], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=20).stdout
        bodies = []
        while raw:
            size, raw = raw.split(b":", 1)
            bodies.append(raw[:int(size)])
            raw = raw[int(size):]
        return bodies

    def created_anew(self):
        ran = subprocess.run([self.program, "topic", "create", "--journal", self.direct_journal()],
                             stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=60)
        return ran.returncode == 0

    # The end.

    def finish(self):
        """Everybody gets a final answer, every coupon is written, and verify is exact."""
        for process in self.processes.values():
            process.await_ready()
        try:
            code = self.rush.wait(FINAL_S_MAX)
        except subprocess.TimeoutExpired:
            raise Broken("some users never had a final answer") from None
        if code != 0:
            with open(f"{self.folder}/rush.json", encoding="utf-8") as file:
                raise Broken(f"the rush ended with {code}: {file.read()[-1500:]}")
        wait_until(lambda: self.servers.sql(f"select count(*) from {self.database}.coupon") == str(self.quota),
                   ISSUED_S_MAX, f"all {self.quota} coupons are written")
        report = json.loads(self.run(
            "verify", "--journal", self.direct_journal(), "--store", self.store(), "--history", self.history, "--json",
            *(word for one in self.processes.values() for word in ("--process", one.url())), codes=(0, 4)))
        if not report["exact"]:
            raise Broken("verify: " + json.dumps([one for one in report["checks"] if not one["ok"]], indent=1))
        found = report["campaigns"][0]
        if (found["winners"], found["coupons"], found["sealed"]) != (self.quota, self.quota, True):
            raise Broken(f"verify says {found}")
        return report

    def close(self):
        if self.rush and self.rush.poll() is None:
            self.rush.kill()
            self.rush.wait()
        for process in self.processes.values():
            process.end()
        self.servers.sql(f"drop database if exists {self.database}", check=False)
