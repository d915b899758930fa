"""One cell's scene: two apis and two issuers, in processes of their own or together, on a topic, a database and a prefix of their own, a rush upon them, and
the proof at the end."""

import json
import os
import subprocess
import time

import operators
import proof
from process import Broken, Process, wait_until
from servers import BASE, USER


APART, TOGETHER = ("api-1", "api-2", "issuer-1", "issuer-2"), ("all-1", "all-2")
QUOTA, USERS, RATE = 2000, 3000, 500  # sealed after 4 s and more of a rush that takes 6
FINAL_S_MAX = 150
ISSUED_S_MAX = 40
CAMPAIGN = "lunch"
NO_RECORD = "the first entry is no installation record"


class Scene:
    def __init__(self, program, servers, folder, brokers):
        self.program, self.servers, self.folder, self.brokers = program, servers, folder, brokers
        os.makedirs(folder)
        self.topic = f"fault-{os.getpid()}-{time.monotonic_ns()}"
        self.database = self.topic.replace("-", "_")
        self.gates, self.stores = {}, {}  # where a process finds them, when it is not by its own link
        self.quota, self.campaign_words = QUOTA, []
        self.rush = None
        self.fault_us = None  # when it began and ended, by the clock of the history
        self.late_coupons = 0  # at its end
        self.lossy = None
        self.history = f"{folder}/history"
        self.be_made_of(APART)

    # Before the rush.

    def be_made_of(self, names):
        self.processes = {name: Process(self, name, link) for link, name in enumerate(names, 1)}
        self.api_1, self.api_2 = (one for one in self.processes.values() if one.is_api)
        self.issuer_1, self.issuer_2 = (one for one in self.processes.values() if one.is_issuer)

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
        self.run("campaign", "create", CAMPAIGN, "--quota", str(QUOTA), *self.campaign_words, "--admin-url",
                 self.api_1.url())
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
                 "--retry-after-ms-max", "1500", "--attempts-max", "1000", "--seconds-max", str(FINAL_S_MAX + 30),
                 "--json"], stdin=subprocess.DEVNULL, stdout=report, stderr=log)

    # What was felt.

    def strike(self, fault):
        """Does it, heals it, and returns how to count what was felt."""
        began = time.time_ns() // 1000
        felt = fault(self)
        self.fault_us = (began, time.time_ns() // 1000)
        return felt

    def living(self):
        return [(name, one) for name, one in self.processes.items() if one.process.poll() is None]

    def total(self, name):
        """Over the processes that are alive."""
        return sum(one.metric(name) for _, one in self.living())

    def attempts(self):
        with open(self.history, encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def report(self):
        """What the rush says at its end."""
        with open(f"{self.folder}/rush.json", encoding="utf-8") as file:
            return json.load(file)

    def rows(self):
        return int(self.servers.sql(f"select count(*) from {self.database}.coupon"))

    def users_in_gate(self, name="redis"):
        return int(self.servers.redis("SCARD", self.gate_key("users"), name=name) or 0)

    def gate_key(self, kind):
        return f"{self.topic}:{{{CAMPAIGN}}}:{kind}"

    # The topic, as anybody sees it.

    def address(self):
        return f"127.0.0.1:{self.servers.port(self.brokers[0])}"

    def tickets(self):
        """Entries of the journal's only partition, the operators' few among them."""
        return int(self.api_2.metric("firstcome_journal_position")) - 2

    def operate(self, what, *more, check=True):
        """What an operator does to a topic."""
        subprocess.run([os.environ["KAFKA_OPERATOR"], what, self.address(), self.topic, *more], check=check, timeout=60,
                       stdin=subprocess.DEVNULL, stderr=None if check else subprocess.DEVNULL)

    def kcat(self, *words, address=None):
        return subprocess.run(["kcat", "-b", address or self.address(), "-t", self.topic, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, check=True, timeout=20).stdout

    def partitions(self, address=None):
        return json.loads(self.kcat("-L", "-J", address=address))["topics"][0]["partitions"]

    def leader(self, says=None):
        """As that broker says."""
        address = f"127.0.0.1:{self.servers.port(says)}" if says else None
        return self.brokers[self.partitions(address)[0]["leader"] - 1]

    def read_messages(self, count):
        """The bodies of the last ones."""
        position = int(self.api_2.metric("firstcome_journal_position"))
        raw = self.kcat("-C", "-p", "0", "-o", str(max(2, position - count)), "-c", str(min(count, position - 2)), "-e",
                        "-q", "-u", "-f", "%S:%s")
        bodies = []
        while raw:
            size, raw = raw.split(b":", 1)
            bodies.append(raw[:int(size)])
            raw = raw[int(size):]
        return bodies

    def created_anew(self):
        """Not while the brokers still delete the one before. An api that had a ticket on the way may be the first in it."""
        try:
            self.run("topic", "create", "--journal", self.direct_journal())
            return True
        except Broken as refused:
            with open(f"{self.folder}/topic.log", "a", encoding="utf-8") as log:
                log.write(f"{refused}\n")
            return NO_RECORD in str(refused)

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
            raise Broken(f"the rush ended with {code}: {self.report()}")
        wait_until(lambda: self.rows() == self.quota, ISSUED_S_MAX, f"all {self.quota} coupons are written")
        report = self.verify(self.history)
        found = report["campaigns"][0]
        if (found["winners"], found["coupons"], found["sealed"]) != (self.quota, self.quota, True):
            raise Broken(f"verify says {found}")
        self.recount(self.history)

    def recount(self, history):
        """By the torture's recount, which shares no code with verify."""
        coupons = {CAMPAIGN: {}}
        for line in self.servers.sql("select `rank`, user, code from coupon", self.database).splitlines():
            rank, user, code = line.split("\t")
            coupons[CAMPAIGN][int(rank)] = (user, code)
        proof.recount(coupons, [history], [operators.Campaign(CAMPAIGN, self.quota)])

    def verify(self, history):
        report = json.loads(self.run(
            "verify", "--journal", self.direct_journal(), "--store", self.store(), "--history", history, "--json",
            *(word for one in self.processes.values() for word in ("--process", one.url())), codes=(0, 4)))
        if not report["exact"]:
            raise Broken("verify: " + json.dumps([one for one in report["checks"] if not one["ok"]], indent=1))
        return report

    def close(self):
        if self.rush and self.rush.poll() is None:
            self.rush.kill()
            self.rush.wait()
        for process in self.processes.values():
            process.end()
        if self.lossy:
            self.lossy.close()
        self.servers.sql(f"drop database if exists {self.database}", check=False)
        self.operate("delete", check=False)
