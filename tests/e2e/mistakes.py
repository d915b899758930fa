#!/usr/bin/env python3
"""What an operator of the distributed form can get wrong, on the real servers of `./x servers up`: for each mistake one line
within 10 s, which says what is wrong, where, and what to do. What only a person can mend ends the process, or is a reason of
/readyz where it goes on without; what may come back by itself is waited for, with /readyz 503. No secret in any of it."""

import contextlib
import re
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import server
import wire
from real_servers import (DATABASE, KAFKA, KAFKA_SECURE, MARIADB, NAME, REDIS, REDIS_TLS, TLS, drop, journal, make, must, redis,
                          sql, store)

SAID_S_MAX = 10
SECRET, WRONG = "known to the tests", "a-secret-that-is-wrong"


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def secure(authority="ca.pem", user="firstcome"):
    return ["--journal-options", f"security.protocol=sasl_ssl,sasl.mechanism=PLAIN,sasl.username={user},"
            f"ssl.ca.location={TLS}/{authority}"]


TOPIC, CLUSTER, ANY, LITERAL, ALLOW = 2, 4, 1, 3, 3  # resources, patterns and permissions of Kafka's ACLs
OPERATIONS = {"READ": 3, "WRITE": 4, "DESCRIBE": 8, "DESCRIBE_CONFIGS": 10}


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


def ask_kafka(kind, body):
    """A request of version 1, as a user who may do all; what follows the answer's throttle time."""
    request = struct.pack(">hhi", kind, 1, 1) + text("tests") + body
    host, port = KAFKA.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as broker, broker.makefile("rb") as answers:
        broker.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", answers.read(4))[0]
        return answers.read(size)[8:]


def allow(topic, *operations):
    """What `stranger` may do with a topic, or with the cluster where there is none."""
    resource = struct.pack(">b", TOPIC if topic else CLUSTER) + text(topic or "kafka-cluster") + struct.pack(">b", LITERAL)
    body = b"".join(resource + text("User:stranger") + text("*") + struct.pack(">bb", OPERATIONS[operation], ALLOW)
                    for operation in operations)
    answer = ask_kafka(30, struct.pack(">i", len(operations)) + body)
    assert answer == struct.pack(">i", len(operations)) + struct.pack(">hh", 0, 0) * len(operations), answer  # no error, no message


def forbid(operation=None):
    """What allow() allowed, or all of it."""
    answer = ask_kafka(31, struct.pack(">ibhb", 1, ANY, -1, ANY) + text("User:stranger") +
                       struct.pack(">hbb", -1, OPERATIONS[operation] if operation else ANY, ANY))
    assert answer.startswith(struct.pack(">ih", 1, 0)), answer  # no error


class Mistakes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = tempfile.TemporaryDirectory(prefix="firstcome-mistakes-")
        cls.password = {}
        for name, text in (("right", SECRET), ("wrong", WRONG)):
            cls.password[name] = f"{cls.made.name}/{name}"
            with open(cls.password[name], "w", encoding="utf-8") as file:
                file.write(text + "\n")
        make()
        sql(f"create user '{DATABASE[-32:]}'@'%' identified by '{SECRET}'; grant all on {DATABASE}.* to '{DATABASE[-32:]}'@'%'")

    @classmethod
    def tearDownClass(cls):
        sql(f"drop user '{DATABASE[-32:]}'@'%'")
        drop()
        cls.made.cleanup()

    # What a process says and does.

    @contextlib.contextmanager
    def running(self, options):
        """The process, the port of its operators, and the lines that it says; none of them has a secret."""
        port = free_port()
        command = [server.FIRSTCOME, "serve", *options, "--admin-listen", f"127.0.0.1:{port}"]
        if "issuer" not in options:
            command += ["--listen", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
        reader.start()
        try:
            yield process, port, lines
        finally:
            process.terminate()
            process.wait(30)
            reader.join()
            process.stdout.close()
            for secret in (SECRET, WRONG):
                self.assertNotIn(secret, "".join(lines))

    def await_line(self, lines, pattern):
        """It is said once, in time."""
        try:
            said = server.wait_for(f"a line like {pattern}",
                                   lambda: [line for line in list(lines) if re.search(pattern, line)], SAID_S_MAX)
        except AssertionError as late:
            raise AssertionError(f"{late}; it says {lines}") from None
        self.assertEqual(len(said), 1, said)
        return said[0]

    def await_reason(self, port, pattern):
        def reason():
            answer = wire.request(port, "GET", "/readyz?verbose", admin=True)
            return answer.status == 503 and re.search(pattern, answer.text())
        server.wait_for(f"/readyz is 503 and says {pattern}", reason, SAID_S_MAX)

    def says(self, options, pattern, ready_reason=True, ends=None):
        """One line in time. `ends`: and the exit code; `ready_reason`: and /readyz says the same, and no line that it is ready."""
        with self.running(options) as (process, port, lines):
            said = self.await_line(lines, pattern)
            if ends is not None:
                self.assertEqual(process.wait(5), ends)
            elif ready_reason:
                self.await_reason(port, pattern)
        if ready_reason:
            self.assertNotIn("is ready", "".join(lines))
        return said

    def api(self, *more, topic=None):
        return ["--role", "api", "--journal", topic or journal(), "--gate", "none", *more]

    def issuer(self, where=None, *more):
        return ["--role", "issuer", "--journal", journal(), "--store", where or store(), *more]

    def gated(self, gate, *more):
        return ["--role", "api", "--journal", journal(), "--gate", gate, "--gate-prefix", NAME, *more]

    # The journal.

    def test_journal_at_a_wrong_port(self):
        port = free_port()
        self.says(self.api(topic=journal(brokers=f"127.0.0.1:{port}")), rf"127\.0\.0\.1:{port}.*refused.*--journal name it")

    def test_journal_that_is_silent_is_named_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = journal(brokers=f"127.0.0.1:{silent.getsockname()[1]}")
            self.says(self.api(topic=url), f"connecting to the journal at={url}", ready_reason=False)

    def test_journal_at_a_wrong_host(self):
        self.says(self.api(topic=journal(brokers="nobody.invalid:9092")), r"nobody\.invalid:9092.*resolve.*--journal name it")

    def test_journal_that_is_another_server(self):
        self.says(self.api(topic=journal(brokers=MARIADB)), rf"{MARIADB}.*no Kafka broker.*--journal")

    def test_journal_wants_tls(self):
        self.says(self.api(topic=journal(brokers=KAFKA_SECURE)), rf"{KAFKA_SECURE}.*security\.protocol.*")

    def test_journal_with_tls_and_password(self):
        self.assertIn("is a journal", must("topic", "create", "--journal", journal(brokers=KAFKA_SECURE), *secure(),
                                           "--journal-password-file", self.password["right"]))

    def test_journal_with_a_wrong_password(self):
        self.says(self.api(*secure(), "--journal-password-file", self.password["wrong"], topic=journal(brokers=KAFKA_SECURE)),
                  rf"{KAFKA_SECURE}.*[Aa]uthentication.*--journal-password-file", ends=2)

    def test_journal_of_another_authority(self):
        self.says(self.api(*secure("other.pem"), "--journal-password-file", self.password["right"],
                           topic=journal(brokers=KAFKA_SECURE)),
                  rf"{KAFKA_SECURE}.*certificate.*ssl\.ca\.location", ends=2)

    def test_journal_by_a_name_that_its_certificate_has_not(self):
        brokers = "localhost:" + KAFKA_SECURE.split(":")[1]
        self.says(self.api(*secure(), "--journal-password-file", self.password["right"], topic=journal(brokers=brokers)),
                  rf"{brokers}.*certificate.*--journal", ends=2)

    def test_journal_that_its_user_may_not_use(self):
        topic, rights = NAME + "-rights", "its user needs DESCRIBE, DESCRIBE_CONFIGS, READ and WRITE of the topic"
        must("topic", "create", "--journal", journal(topic))
        forbid()
        options = self.api(*secure(user="stranger"), "--journal-password-file", self.password["right"], topic=journal(topic, KAFKA_SECURE))
        self.says(options, f"ask for topic {topic}: .*authorization failed; {rights}", ends=2)
        allow(topic, "DESCRIBE")
        self.says(options, f"ask for the settings of topic {topic}: .*authorization failed; {rights}", ends=2)
        allow(topic, "DESCRIBE_CONFIGS")
        self.says(options, f"ask for the settings of broker 1: .*authorization failed; {rights}", ends=2)
        allow(None, "DESCRIBE_CONFIGS")
        self.says(options, f"read topic {topic}.*authorization failed; {rights}", ends=2)

    def test_journal_that_its_user_may_not_write(self):
        # Others may have filled it: so it starts, and says once and for as long as it is so that nobody can win here.
        topic, port = NAME + "-read-only", free_port()
        must("topic", "create", "--journal", journal(topic))
        forbid()
        allow(topic, "DESCRIBE", "DESCRIBE_CONFIGS", "READ")
        allow(None, "DESCRIBE_CONFIGS")
        refused = "the brokers take nothing from this process"

        def reasons():
            answer = wire.request(port, "GET", "/readyz?verbose", admin=True)
            return answer.text() if answer.status == 503 else ""

        with server.Server(*self.api(*secure(user="stranger"), "--journal-password-file", self.password["right"],
                                     topic=journal(topic, KAFKA_SECURE)), "--admin-listen", f"127.0.0.1:{port}",
                           is_ready=False) as api:
            api.admin_port = port
            server.wait_for("/readyz is 503 and says why", lambda: "READ and WRITE" in reasons(), SAID_S_MAX)
            answer = api.admin("POST", "/v1/campaigns", {"id": "lunch", "quota": 1})
            self.assertEqual(answer.status, 503, answer.text())
            self.assertEqual(api.text().count(refused), 1, api.text())
            broken = int(re.search(r"^firstcome_journal_producers_total (\d+)$", api.admin("GET", "/metrics").text(), re.M)[1])
            self.assertLess(broken, 12, "a pause after each that broke")
            allow(topic, "WRITE")
            server.wait_for("/readyz is 200", lambda: api.get("/readyz").status == 200, 30)
            api.create("lunch", 100_000)
            users = (f"u{number}" for number in range(100_000))

            def wins():
                return api.claim("lunch", next(users)).status == 201

            self.assertTrue(wins())
            forbid("WRITE")  # while it runs; who may write elsewhere has a producer that is whole, and is refused all the same
            allow(NAME + "-elsewhere", "WRITE")
            server.wait_for("a claim is refused", lambda: not wins() and "READ and WRITE" in reasons(), 30)
            allow(topic, "WRITE")
            server.wait_for("claims win again", wins, 30)
            server.wait_for("/readyz is 200 again", lambda: api.get("/readyz").status == 200, 30)
            self.assertEqual(api.text().count(refused), 2, api.text())

            def told(words):
                return [line for line in api.text().splitlines() if words in line]

            self.assertEqual(told("out of step with the journal"), [])
            forbid("READ")  # and nobody claims
            server.wait_for("/readyz is 503 and says why", lambda: "read topic" in reasons(), 30)
            server.wait_for("the silence is told", lambda: told("out of step with the journal"), 30)
            allow(topic, "READ")
            server.wait_for("/readyz is 200, though nothing came to be read", lambda: api.get("/readyz").status == 200, 30)
            server.wait_for("its end is told", lambda: told("in step with the journal again after_ms="))
            begins = told("out of step with the journal")
            self.assertEqual((len(begins), len(told("in step with the journal again"))), (1, 1), "once, whatever the number of loops")
            self.assertRegex(begins[0], r"warn .*503.*nothing was heard from the journal for \d{4,} ms")
            self.assertTrue(wins())

    def test_topic_that_is_not_there(self):
        self.says(self.api(topic=journal("nothing-of-that-name")),
                  "no topic nothing-of-that-name.*firstcome topic create.*with the --config", ends=2)

    def test_verify_says_of_the_journal_what_serve_says(self):
        port = free_port()
        for topic, code, pattern in (
                (journal("nothing-of-that-name"), 2, "no topic nothing-of-that-name.*firstcome topic create"),
                (journal(brokers=f"127.0.0.1:{port}"), 3, rf"127\.0\.0\.1:{port}.*refused.*--journal name it")):
            ran = server.run("verify", "--journal", topic, "--store", store())
            self.assertEqual((ran.returncode, ran.stdout), (code, ""), ran)
            self.assertRegex(ran.stderr, pattern)

    def test_topic_of_somebody_else(self):
        topic = NAME + "-foreign"
        must("topic", "create", "--journal", journal(topic))
        produce = ["kcat", "-P", "-b", KAFKA, "-t", topic, "-p", "0"]
        subprocess.run(produce, input="an order of shoes", text=True, check=True)
        port = free_port()
        with server.Server("--role", "api", "--journal", journal(topic), "--gate", "none", "--admin-listen",
                           f"127.0.0.1:{port}") as api:
            api.admin_port = port
            def skipped():
                return int(re.search(r"^firstcome_journal_skipped_total (\d+)$", api.admin("GET", "/metrics").text(), re.M)[1])

            said = rf"no entries of a journal: skipped\. Who else writes there\?.* messages=1 last=.topic {topic} \[0\], position 2"
            self.assertEqual(skipped(), 1)
            self.assertEqual(len(re.findall(said, api.text())), 1, api.text())
            subprocess.run(produce, input="another one", text=True, check=True)
            server.wait_for("it is counted, though nothing of ours follows", lambda: skipped() == 2)
            server.wait_for("and it was read", lambda: "\nfirstcome_journal_lag_entries 0\n" in api.admin("GET", "/metrics").text())
            self.assertEqual(api.text().count("no entries of a journal"), 1, "not for each of them")

    # The store.

    def test_store_at_a_wrong_port(self):
        port = free_port()
        self.says(self.issuer(store(at=f"127.0.0.1:{port}")), rf"127\.0\.0\.1:{port}.*--store name it")

    def test_store_that_is_another_server(self):
        self.says(self.issuer(store(at=REDIS)), rf"{REDIS}.*--store name it")

    def test_store_with_a_wrong_password(self):
        self.says(self.issuer(store(DATABASE[-32:]), "--store-password-file", self.password["wrong"]),
                  rf"{MARIADB}.*denied.*--store-password-file", ends=2)

    def test_store_without_tls(self):
        self.says(self.issuer(store(), "--store-tls-ca", f"{TLS}/ca.pem"), rf"{MARIADB}.*(TLS|SSL).*", ends=2)

    def test_store_without_its_database(self):
        self.says(self.issuer(store(database="not_there")), r"not_there.*CREATE DATABASE not_there", ends=2)

    def test_store_without_its_tables(self):
        sql("create database if not exists " + DATABASE + "_empty")
        self.addCleanup(sql, f"drop database {DATABASE}_empty")
        self.says(self.issuer(store(database=DATABASE + "_empty")), r"_empty.*firstcome store migrate", ends=2)

    def test_store_of_another_schema(self):
        tables = sql("show tables").split()
        table = next(name for name in tables if "schema" in name or "version" in name)
        now = sql(f"select max(version) from {table}").strip()
        for version, says in (("0", "firstcome store migrate"), ("99", "newer firstcome|upgrade")):
            with self.subTest(version=version):
                sql(f"update {table} set version = {version}")
                try:
                    self.says(self.issuer(), says, ends=2)
                finally:
                    sql(f"update {table} set version = {now}")

    def test_store_of_another_journal(self):
        self.says(self.issuer(), "issuer at work", ready_reason=False)
        self.says(self.issuer(), "serving admin_listen=", ready_reason=False)  # users do not ask an issuer
        self.assertEqual(sql("select count(*) from installation").strip(), "1")
        other = NAME + "-other"
        must("topic", "create", "--journal", journal(other))
        self.says(["--role", "issuer", "--journal", journal(other), "--store", store()],
                  "belongs to journal [0-9a-f]{32}, not to [0-9a-f]{32}.*start this process with the two", ends=2)
        ran = server.run("verify", "--journal", journal(other), "--store", store())
        self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran)
        self.assertRegex(ran.stderr, "belongs to journal [0-9a-f]{32}, not to [0-9a-f]{32}.*name the two of one installation")

    def test_store_that_is_wrong_later(self):
        user = DATABASE[-32:]

        def end_connections():
            for number in sql(f"select id from information_schema.processlist where user = '{user}'", "mysql").split():
                sql(f"kill {number}", "mysql")

        def has_password(password):
            sql(f"alter user '{user}'@'%' identified by '{password}'", "mysql")

        def is_ready():
            return wire.request(port, "GET", "/readyz", admin=True).status == 200

        self.addCleanup(has_password, SECRET)
        with self.running(self.issuer(store(user), "--store-password-file", self.password["right"])) as (_, port, lines):
            server.wait_for("/readyz is 200", is_ready)
            has_password(SECRET + " no more")
            end_connections()
            self.await_line(lines, rf"the store fails.*{MARIADB}.*denied.*--store-password-file")
            self.await_reason(port, rf"the store: .*{MARIADB}.*denied.*--store-password-file")
            has_password(SECRET)
            server.wait_for("/readyz is 200 again", is_ready)
            sql("rename table issuer to issuer_of_before")
            self.await_reason(port, "the store: .*issuer.*firstcome store migrate")
            sql("rename table issuer_of_before to issuer")
            server.wait_for("/readyz is 200 again", is_ready)

    def test_verify_without_a_store(self):
        ran = server.run("verify", "--journal", journal())
        self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran)
        self.assertRegex(ran.stderr, "its store: --store mysql://")

    # The gate: without it claims go on, so the process serves, and says what a person must mend.

    def needs_a_person(self, options, pattern):
        self.assertRegex(self.says(options, pattern), "error +the gate needs a person.*/readyz is 503")

    def test_gate_at_a_wrong_port(self):
        port = free_port()
        self.says(self.gated(f"redis://127.0.0.1:{port}"), rf"gate is away.*127\.0\.0\.1:{port}.*is gate right", ready_reason=False)

    def test_gate_that_is_another_server(self):
        self.needs_a_person(self.gated(f"redis://{MARIADB}"), rf"{MARIADB}.*look at gate")

    def test_gate_with_a_password_that_it_does_not_have(self):
        self.needs_a_person(self.gated(f"redis://{REDIS}", "--gate-password-file", self.password["wrong"]), rf"{REDIS}.*gate_password")

    def test_gate_with_a_wrong_password(self):
        name = DATABASE[-32:]
        redis("ACL", "SETUSER", name, "on", f">{SECRET}", "~*", "+@all")
        self.addCleanup(redis, "ACL", "DELUSER", name)
        self.needs_a_person(self.gated(f"redis://{name}@{REDIS}", "--gate-password-file", self.password["wrong"]),
                            rf"{REDIS}.*(WRONGPASS|password).*gate_password")

    def test_gate_of_another_authority(self):
        self.needs_a_person(self.gated(f"redis://{REDIS_TLS}", "--gate-tls-ca", f"{TLS}/other.pem"), rf"{REDIS_TLS}.*certificate.*gate_tls_ca")

    def test_gate_by_a_name_that_its_certificate_has_not(self):
        at = "localhost:" + REDIS_TLS.split(":")[1]
        self.needs_a_person(self.gated(f"redis://{at}", "--gate-tls-ca", f"{TLS}/ca.pem"), rf"{at}.*certificate")

    def test_gate_that_evicts(self):
        before = redis("CONFIG", "GET", "maxmemory-policy").split()[1]
        redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        self.addCleanup(redis, "CONFIG", "SET", "maxmemory-policy", before)
        self.says(self.gated(f"redis://{REDIS}"), rf"evicts.*{REDIS}.*noeviction", ready_reason=False)

    def test_gate_of_another_installation(self):
        with server.Server(*self.gated(f"redis://{REDIS}")):
            server.wait_for("the gate is taken", lambda: redis("--scan", "--pattern", NAME + "*"))
        other = NAME + "-second"
        must("topic", "create", "--journal", journal(other))
        self.needs_a_person(["--role", "api", "--journal", journal(other), "--gate", f"redis://{REDIS}", "--gate-prefix", NAME],
                            rf"another installation uses .*{REDIS}.*set another gate_prefix")


if __name__ == "__main__":
    unittest.main(verbosity=2)
