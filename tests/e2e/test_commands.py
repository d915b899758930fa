"""The command line against a real server: each command does what its help says, --json is JSON, exit codes are those of the docs."""

import contextlib
import csv
import io
import json
import pathlib
import re
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from server import FIRSTCOME, Server, run, wait_for


class Commands(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Server())
        cls.public = ["--url", f"http://127.0.0.1:{cls.server.port}"]
        cls.admin = ["--admin-url", f"http://127.0.0.1:{cls.server.admin_port}"]

    def fine(self, *arguments, code=0):
        result = run(*arguments)
        self.assertEqual(result.returncode, code, f"{arguments}: {result}")
        return result.stdout

    def json(self, *arguments, code=0):
        return json.loads(self.fine(*arguments, "--json", code=code))

    def test_the_life_of_a_campaign(self):
        admin, public = self.admin, self.public
        created = self.json("campaign", "create", "life", "--quota", "2", "--name", "Life", *admin)
        self.assertEqual((created["campaign"], created["name"], created["quota"]), ("life", "Life", 2))
        self.assertIn("2 of 2 left", self.fine("campaign", "create", "life", "--quota", "2", "--name", "Life", *admin))
        other = run("campaign", "create", "life", "--quota", "3", *admin)
        self.assertEqual((other.returncode, other.stdout), (1, ""), other)
        self.assertIn('name "Life", not left out; quota 2, not 3', other.stderr)
        self.assertIn("life", [campaign["campaign"] for campaign in self.json("campaign", "list", *admin)])

        won = self.json("claim", "life", "--user", "alice", *public)
        self.assertEqual((won["answer"], won["rank"]), ("won", 1))
        self.assertIn(won["code"], self.fine("claim", "life", "--user", "alice", *public))
        self.assertEqual(self.json("status", "life", "--user", "alice", *public), won)
        self.assertEqual(self.json("status", "life", "--user", "nobody", *public)["answer"], "unknown")
        self.assertEqual(self.json("status", "life", *public)["remaining"], 1)

        self.assertEqual(self.json("campaign", "pause", "life", *admin)["state"], "paused")
        paused = run("claim", "life", "--user", "bob", *public)
        self.assertEqual(paused.returncode, 1, paused)
        self.assertIn("paused", paused.stderr.lower())
        self.assertEqual(self.json("campaign", "resume", "life", *admin)["state"], "open")
        self.assertEqual(self.json("campaign", "raise", "life", "--quota", "3", *admin)["quota"], 3)
        lowered = run("campaign", "raise", "life", "--quota", "1", *admin)
        self.assertEqual(lowered.returncode, 1, lowered)
        at = "2099-01-01T00:00:00.000Z"
        self.assertEqual(self.json("campaign", "close", "life", "--at", at, *admin)["closes_at"], at)
        self.assertEqual(self.json("campaign", "close", "life", *admin)["state"], "closed")
        self.assertEqual(self.json("campaign", "show", "life", *admin)["quota"], 3)
        closed = run("claim", "life", "--user", "bob", *public)
        self.assertEqual(closed.returncode, 1, closed)
        self.assertIn("ended", closed.stderr)

    def test_coupons(self):
        self.server.create("owned", 1500, issue_rate=0)
        told = self.json("rush", "owned", "--users", "1600", *self.public)
        self.assertIsInstance(told, dict)
        written = lambda: self.fine("coupons", "owned", "--format", "jsonl", *self.admin).splitlines()
        wait_for("all coupons are written", lambda: len(written()) == 1500)
        rows = [json.loads(line) for line in written()]
        self.assertEqual([row["rank"] for row in rows], list(range(1, 1501)))
        table = list(csv.DictReader(io.StringIO(self.fine("coupons", "owned", "--format", "csv", *self.admin))))
        self.assertEqual([row["code"] for row in table], [row["code"] for row in rows])
        self.assertEqual(len(self.fine("coupons", "owned", "--limit", "7", *self.admin).splitlines()), 7)

    def test_rush_and_verify_with_histories(self):
        with tempfile.TemporaryDirectory() as folder:
            self.server.create("proof", 50, issue_rate=0)
            history = f"{folder}/history"
            self.fine("rush", "proof", "--users", "2000", "--repeat", "0.5", "--history", history, *self.public)
            proof = self.json("verify", "--data", self.server.data, "--campaign", "proof", "--history", history)
            again = run("rush", "proof", "--users", "5", "--history", history, *self.public)
            self.assertEqual(again.returncode, 2, again)
            self.assertIn("name another file", again.stderr)
            self.assertIs(proof["exact"], True)
            (campaign,) = proof["campaigns"]
            self.assertEqual((campaign["campaign"], campaign["quota"], campaign["sealed"]), ("proof", 50, True))
            other = run("verify", "--data", self.server.data, "--campaign", "proof", "--history", "/dev/null")
            self.assertIn("nobody won in these histories", other.stderr)
            for check in proof["checks"]:
                self.assertIs(check["ok"], True, check)
                self.assertIn("name", check)
                self.assertIn("checked", check)

            # Somebody's history that tells of a coupon that there never was.
            forged = pathlib.Path(f"{folder}/forged")
            text = pathlib.Path(history).read_text()
            codes = re.findall(r"[0-9A-HJKMNP-TV-Z]{26}[0-9A-HJKMNP-TV-Z*~$=U]", text)
            self.assertTrue(codes)
            forged.write_text(text.replace(codes[0], codes[-1][::-1] if codes[0] == codes[-1] else codes[-1]))
            broken = run("verify", "--data", self.server.data, "--campaign", "proof", "--history", forged)
            self.assertEqual(broken.returncode, 4, broken)

    def test_verify_asks_the_processes_that_are_up_and_names_the_others(self):
        up, down = f"http://127.0.0.1:{self.server.admin_port}", "http://127.0.0.1:1"
        verify = ["verify", "--data", self.server.data, "--process", down, "--process", up]
        told = run(*verify)
        self.assertEqual(told.returncode, 3, told)
        self.assertRegex(told.stdout, r"\n +processes stand where the journal leads +2 checked +exact\n")
        self.assertRegex(told.stdout, rf"\n  not checked: process {down}: .*\nverify: incomplete")
        proof = json.loads(run(*verify, "--json").stdout)
        self.assertIs(proof["exact"], False)
        self.assertEqual(len(proof["not_checked"]), 1)
        self.server.create("one-of-many", 5)
        of_one = run("verify", "--data", self.server.data, "--process", up, "--campaign", "one-of-many")
        self.assertEqual(of_one.returncode, 3, of_one)
        self.assertIn("not checked: where processes stand", of_one.stdout)

    def test_rush_refuses_a_host_that_is_not_loopback(self):
        refused = run("rush", "x", "--users", "1", "--url", "http://192.0.2.1:80")
        self.assertEqual(refused.returncode, 2, refused)
        self.assertIn("--host-is-mine", refused.stderr)

    def test_parked(self):
        self.assertEqual(self.json("parked", "list", *self.admin)["parked"], [])
        absent = run("parked", "retry", "99", *self.admin)
        self.assertEqual(absent.returncode, 1, absent)

    def test_health_and_version(self):
        self.assertIs(self.json("health", *self.public)["ready"], True)
        self.assertRegex(self.json("version")["version"], r"^\d+\.\d+\.\d+")
        self.assertEqual(self.fine("--version"), self.fine("version"))
        self.assertNotIn("--version", run("serve", "-h").stdout)

    def test_only_who_needs_the_token_must_be_allowed_to_read_it(self):
        hidden = {"FIRSTCOME_ADMIN_TOKEN_FILE": "/credentials-of-another-process"}
        self.server.create("open-to-all", 1)
        for command in (["health"], ["status", "open-to-all"], ["claim", "open-to-all", "--user", "u"]):
            asked = run(*command, *self.public, environment=hidden)
            self.assertEqual(asked.returncode, 0, f"{command}: {asked}")
        refused = run("campaign", "list", *self.admin, environment=hidden)
        self.assertEqual(refused.returncode, 2, refused)
        self.assertIn("FIRSTCOME_ADMIN_TOKEN_FILE", refused.stderr)

    def test_a_full_stdout_is_told(self):
        self.server.create("full", 300, issue_rate=0)
        for number in range(3):
            self.server.claim("full", f"u{number}")
        for arguments in (["coupons", "full", "--format", "csv", *self.admin], ["coupons", "full", *self.admin],
                          ["campaign", "list", *self.admin], ["version"], ["--version"], ["-h"], ["completion", "bash"],
                          ["config", "print"], ["verify", "--data", self.server.data]):
            with open("/dev/full", "w") as full:
                ended = subprocess.run([FIRSTCOME, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=full,
                                       stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(ended.returncode, 1, f"{arguments}: {ended}")
            self.assertIn("could not be written", ended.stderr, arguments)

    def test_problems_are_told_on_stderr(self):
        for arguments in (["claim", "nosuch", "--user", "a", *self.public], ["campaign", "show", "nosuch", *self.admin],
                          ["coupons", "nosuch", *self.admin], ["claim", "nosuch", "--user", "a b", *self.public]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 1, f"{arguments}: {result}")
            self.assertTrue(result.stderr.strip(), arguments)

    def test_hints_are_commands_and_not_requests(self):
        self.server.create("hints", 2)
        self.server.admin("PATCH", "/v1/campaigns/hints", {"paused": True})
        for arguments, hint in (
                (["campaign", "show", "nosuch", *self.admin], "firstcome campaign list"),
                (["campaign", "create", "hints", "--quota", "9", *self.admin], "firstcome campaign raise"),
                (["claim", "hints", "--user", "a", *self.public], "Ask again later"),
                (["parked", "retry", "99", *self.admin], "firstcome parked list")):
            refused = run(*arguments)
            self.assertEqual(refused.returncode, 1, refused)
            self.assertIn(hint, refused.stderr)
            self.assertNotRegex(refused.stderr, "/v1/|GET|PATCH|Retry-After")

    def test_a_rate_of_the_server_is_said_to_be_its_own(self):
        self.server.create("usual", 2)
        self.assertIn("- (the server's)", self.fine("campaign", "show", "usual", *self.admin))

    def test_numbers_are_written_as_people_do(self):
        refused = run("campaign", "create", "fast", "--quota", "1", "--issue-rate", "x", *self.admin)
        self.assertIn("from 0 to 10000000", refused.stderr)

    def test_settings_stand_in_columns(self):
        lines = self.fine("config", "print").splitlines()
        self.assertEqual(len({line.index(line.split(maxsplit=1)[1]) for line in lines}), 1)

    def test_secrets_are_not_printed(self):
        with tempfile.NamedTemporaryFile("w") as token:
            token.write("s3cret-in-a-file-s3cret\n")
            token.flush()
            names = re.findall(r"^(\w+(?:token|password)) ", self.fine("config", "print"), re.M)
            self.assertLessEqual({"admin_token", "gate_password", "journal_password", "store_password"}, set(names))
            given = {f"FIRSTCOME_{name.upper()}": f"s3cret-{name}-s3cret" for name in names if name != "admin_token"}
            for more in ([], ["--json"]):
                printed = run("config", "print", *more, "--admin-token-file", token.name, environment=given)
                self.assertEqual((printed.returncode, printed.stderr), (0, ""), printed)
                self.assertNotIn("s3cret", printed.stdout)
                self.assertEqual(printed.stdout.count("(set)"), len(names), printed.stdout)

    def test_a_list_of_coupons_that_is_not_all_of_them_says_so(self):
        self.server.create("slow", 5, issue_rate=0.001)
        for user in ("alice", "bob"):
            self.server.claim("slow", user)
        wait_for("a coupon is written", lambda: "alice" in self.fine("coupons", "slow", *self.admin))
        listed = run("coupons", "slow", "--format", "csv", *self.admin)
        self.assertEqual(listed.returncode, 0, listed)
        self.assertIn("1 of 2 winners", listed.stderr)

    def test_a_name_that_is_no_utf_8_is_refused(self):
        result = run("campaign", "create", "latin", "--quota", "1", "--name", b"caf\xe9".decode("utf-8", "surrogateescape"),
                     *self.admin)
        self.assertEqual(result.returncode, 2, result)
        self.assertIn("UTF-8", result.stderr)

    def test_a_token_from_a_file(self):
        with tempfile.NamedTemporaryFile("w") as token:
            token.write("s3cret-s3cret-s3cret\n")
            token.flush()
            with Server("--admin-token-file", token.name) as server:
                admin = ["--admin-url", f"http://127.0.0.1:{server.admin_port}"]
                none = run("campaign", "list", *admin)
                self.assertEqual(none.returncode, 1, none)
                self.assertIn("token", none.stderr)
                self.fine("campaign", "list", *admin, "--admin-token-file", token.name)
                named = {"FIRSTCOME_ADMIN_TOKEN_FILE": token.name}
                self.assertEqual(run("campaign", "list", *admin, environment=named).returncode, 0)
                both = run("campaign", "list", *admin, environment=named | {"FIRSTCOME_ADMIN_TOKEN": "other"})
                self.assertEqual(both.returncode, 2, both)
                self.assertIn("unset one of them", both.stderr)

    def test_completion(self):
        script = self.fine("completion", "bash")
        asked = subprocess.run(
            ["bash", "-c", script + '\nCOMP_WORDS=(firstcome campaign cr); COMP_CWORD=2; _firstcome; echo "${COMPREPLY[@]}"'],
            capture_output=True, text=True)
        self.assertEqual(asked.stdout.split(), ["create"], asked)
        asked = subprocess.run(
            ["bash", "-c", script + '\nCOMP_WORDS=(firstcome --v); COMP_CWORD=1; _firstcome; echo "${COMPREPLY[@]}"'],
            capture_output=True, text=True)
        self.assertEqual(asked.stdout.split(), ["--version"], asked)
        self.assertIn("#compdef firstcome", self.fine("completion", "zsh"))
        self.assertEqual(run("completion", "fish").returncode, 2)

    def test_everything_has_help(self):
        for arguments in ([], ["serve"], ["campaign"], ["campaign", "create"], ["verify"], ["rush"]):
            self.assertIn(" ".join(["Usage: firstcome", *arguments]), self.fine(*arguments, "-h"))


class Proof(unittest.TestCase):
    """`verify` against a store and a journal that somebody changed by hand."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="firstcome-e2e-")))
        with Server(folder=cls.folder) as server:
            server.create("kept", 20, issue_rate=0, name="Kept")
            server.admin("PATCH", "/v1/campaigns/kept", {"quota": 25})
            for number in range(10):
                server.claim("kept", f"u{number}")
            written = lambda: len(server.admin("GET", "/v1/campaigns/kept/coupons").json()["coupons"])
            wait_for("the coupons are written", lambda: written() == 10)
        cls.data = cls.folder / "data"

    def copy(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="firstcome-e2e-")))
        return pathlib.Path(shutil.copytree(self.data, folder / "data"))

    def verify(self, data):
        before = {file.name: file.read_bytes() for file in data.iterdir()}
        result = run("verify", "--data", data)
        self.assertEqual(before, {file.name: file.read_bytes() for file in data.iterdir()}, "verify wrote something")
        return result

    def test_exact(self):
        self.assertEqual(self.verify(self.data).returncode, 0)

    def change(self, sql):
        """A copy of the data folder in which this was done to the store; None where the store itself refused."""
        data = self.copy()
        with contextlib.closing(sqlite3.connect(data / "store.db")) as store:
            try:
                done = store.execute(sql).rowcount
                store.commit()
            except sqlite3.IntegrityError:
                return None
        self.assertGreater(done, 0, sql)
        return data

    def columns(self, table):
        with contextlib.closing(sqlite3.connect(self.data / "store.db")) as store:
            return [(row[1], row[2]) for row in store.execute(f"pragma table_info({table})")]

    def last_row(self, table):
        with contextlib.closing(sqlite3.connect(self.data / "store.db")) as store:
            key = ", ".join(row[1] for row in store.execute(f"pragma table_info({table})") if row[5])
        return f"({key}) = (select {key} from {table} order by {key} desc limit 1)"

    def test_every_column_of_every_row(self):
        changes = {"INTEGER": "{0} + 1", "TEXT": "{0} || 'x'", "BLOB": "{0} || x'41'", "REAL": "{0} + 1"}
        tried = refused = 0
        for table in ("campaign", "campaign_quota", "coupon", "progress"):
            for column, kind in self.columns(table):
                if (table, column) == ("coupon", "issued_at"):
                    continue
                value = f"case when {column} is null then {'1' if kind in ('INTEGER', 'REAL') else repr('x')} " \
                        f"else {changes[kind].format(column)} end"
                tried += 1
                data = self.change(f"update {table} set {column} = {value} where {self.last_row(table)}")
                if data is None:
                    refused += 1
                    continue
                result = self.verify(data)
                self.assertEqual(result.returncode, 4, f"{table}.{column}: {result}")
        print(f"{tried} columns changed, {refused} times the store refused ", end="")
        self.assertGreater(tried - refused, 10)

    def test_removed_rows(self):
        for table in ("campaign", "campaign_quota", "coupon", "progress"):
            data = self.change(f"delete from {table} where {self.last_row(table)}")
            if data is not None:
                result = self.verify(data)
                self.assertEqual(result.returncode, 4, f"{table}: {result}")

    def test_added_rows(self):
        other = {"INTEGER": "{0} + 1", "TEXT": "{0} || 'x'", "BLOB": "{0} || x'41'"}
        tried = 0
        for table in ("campaign", "campaign_quota", "coupon", "progress"):
            columns = self.columns(table)
            for changed in (("campaign", "id"), ("rank", "quota", "user", "code", "position")):
                values = ", ".join(other[kind].format(column) if column in changed else column for column, kind in columns)
                data = self.change(f"insert into {table} select {values} from {table} where {self.last_row(table)}")
                if data is not None:
                    tried += 1
                    result = self.verify(data)
                    self.assertEqual(result.returncode, 4, f"{table} {changed}: {result}")
        self.assertGreaterEqual(tried, 3)

    def test_the_row_is_named(self):
        data = self.change("update coupon set user = x'6d616c6c6f7279' where rank = 7")
        result = self.verify(data)
        self.assertEqual(result.returncode, 4, result)
        for words in ("kept", "7", "mallory", "u6"):
            self.assertIn(words, result.stdout + result.stderr)

    def test_a_byte_of_each_acknowledged_entry(self):
        raw = (self.data / "journal.db").read_bytes()
        for number in range(10):
            data = self.copy()
            at = raw.rfind(f"u{number}".encode())
            self.assertGreater(at, 0)
            (data / "journal.db").write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1:])
            self.assertEqual(self.verify(data).returncode, 4)
            served = run("serve", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
            self.assertEqual(served.returncode, 1, served)
