"""The process: what stands in its way when it starts, what wrong words get, and how it ends."""

import contextlib
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import unittest

import wire
from server import FIRSTCOME, Server, run, wait_for


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="firstcome-e2e-")))
        self.data = self.folder / "data"

    def serve(self, *options, environment=None, data=None):
        """Runs a server that is expected to refuse, to its end."""
        return run("serve", "--data", data or self.data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                   *options, seconds=30, environment=environment)

    def starting(self, *options):
        """A server that is not ready for now, and its public port."""
        ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        port, admin_port = (one.getsockname()[1] for one in ports)
        for one in ports:
            one.close()
        process = subprocess.Popen(
            [FIRSTCOME, "serve", "--data", self.data, "--listen", f"127.0.0.1:{port}",
             "--admin-listen", f"127.0.0.1:{admin_port}", *options], stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        self.admin_port = admin_port
        return process, port

    @staticmethod
    def ask(port, method, target):
        try:
            return wire.request(port, method, target, headers={"X-User": "alice"})
        except ConnectionError:
            return wire.Answer(0, [], b"")

    def assert_refused(self, result, code, *words):
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(str(word), result.stderr)
        self.assertNotIn("terminate called", result.stderr)
        self.assertLess(len(result.stderr.splitlines()), 12, result.stderr)

    def filled(self, users=30):
        """A data folder in which `users` won, of a server that ended well."""
        with Server(folder=self.folder) as server:
            server.create("kept", 100, issue_rate=0)
            for number in range(users):
                self.assertEqual(server.claim("kept", f"u{number}").status, 201)


class Start(Folder):
    def test_says_where_it_listens_and_what_to_do_next(self):
        with Server(folder=self.folder) as server:
            for words in (f"127.0.0.1:{server.port}", f"127.0.0.1:{server.admin_port}", str(self.data),
                          "firstcome campaign create"):
                wait_for(words, lambda words=words: words in server.text())
            server.create("lunch", 5)
        with Server(folder=self.folder) as server:
            wait_for("what there is", lambda: "firstcome campaign list" in server.text())
            self.assertNotIn("firstcome campaign create", server.text())

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_refused(self.serve("--listen", f"127.0.0.1:{port}"), 2, f"127.0.0.1:{port}", "in use", "--listen")
            self.assert_refused(self.serve("--admin-listen", f"127.0.0.1:{port}"), 2, f"127.0.0.1:{port}", "--admin-listen")

    def test_port_in_use_by_another_firstcome(self):
        # SO_REUSEPORT must not let a second process of the same user take half of the connections.
        with Server(folder=self.folder) as server:
            other = self.folder / "other"
            result = self.serve("--listen", f"127.0.0.1:{server.port}", data=other)
            self.assert_refused(result, 2, f"127.0.0.1:{server.port}", "in use")

    def test_address_that_is_none(self):
        for bad in ("127.0.0.1", "nonsense:80", "127.0.0.1:99999", ":x", "300.0.0.1:80"):
            result = self.serve("--listen", bad)
            self.assertEqual(result.returncode, 2, bad)
            self.assertIn(bad, result.stderr)

    def test_not_on_loopback_without_a_chosen_identity(self):
        self.assert_refused(self.serve("--listen", "0.0.0.0:0"), 2, "--identity")

    def test_admin_not_on_loopback_without_a_token(self):
        self.assert_refused(self.serve("--admin-listen", "0.0.0.0:0"), 2, "--admin-token-file")

    def test_token_file_that_is_missing_or_empty(self):
        self.assert_refused(self.serve("--admin-token-file", self.folder / "none"), 2, self.folder / "none")
        empty = self.folder / "empty"
        empty.write_text("\n")
        self.assert_refused(self.serve("--admin-token-file", empty), 2, empty)

    def test_parent_folder_is_missing(self):
        self.assert_refused(self.serve(data=self.folder / "no" / "such" / "data"), 2, self.folder / "no" / "such", "mkdir -p")

    def test_data_folder_is_a_file(self):
        self.data.write_text("I am a file")
        self.assert_refused(self.serve(), 2, self.data, "file")

    def test_data_folder_is_read_only(self):
        # Root may write everywhere, so it takes a file system that is read-only.
        self.data.mkdir()
        if os.geteuid() == 0:
            subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", self.data], check=True)
            self.addCleanup(subprocess.run, ["umount", self.data], check=True)
        else:
            self.data.chmod(0o500)
            self.addCleanup(self.data.chmod, 0o700)
        self.assert_refused(self.serve(), 2, self.data, "Read-only" if os.geteuid() == 0 else "ermission")

    def test_data_folder_is_held(self):
        with Server(folder=self.folder) as server:
            self.assert_refused(self.serve(), 2, self.data, server.process.pid)
            self.assertEqual(server.get("/livez").status, 200)

    def test_too_few_file_descriptors(self):
        few = subprocess.run(
            [FIRSTCOME, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
             "--connections-max", "1000"],
            capture_output=True, text=True, timeout=30,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)))
        self.assert_refused(few, 2, "256", "--connections-max", "1000", "ulimit -Hn")

    def test_too_few_file_descriptors_for_the_default(self):
        # Nobody asked for that many connections: it starts with fewer, and says so.
        with Server("--loops", "2", folder=self.folder, limits={resource.RLIMIT_NOFILE: 512}) as server:
            # 64 files, 128 connections of operators, 5 for each loop
            self.assertIn("connections_max=310", server.text())
            self.assertIn("ulimit -Hn", server.text())
            held = [wire.Connection(server.port) for _ in range(400)]
            for connection in held:
                connection.close()
            wait_for("it still answers", lambda: server.get("/livez").status == 200)


class Journal(Folder):
    def test_newer_version(self):
        self.filled()
        for file in ("journal.db", "store.db"):
            with contextlib.closing(sqlite3.connect(self.data / file)) as database:
                version = database.execute("pragma user_version").fetchone()[0]
                database.execute(f"pragma user_version = {version + 1}")
            self.assert_refused(self.serve(), 2, file, version + 1, "upgrade")
            with contextlib.closing(sqlite3.connect(self.data / file)) as database:
                database.execute(f"pragma user_version = {version}")

    def test_corrupt_entry(self):
        self.filled()
        raw = bytearray((self.data / "journal.db").read_bytes())
        at = raw.find(b"u17")
        self.assertGreater(at, 0)
        raw[at] ^= 1
        (self.data / "journal.db").write_bytes(raw)
        self.assert_refused(self.serve(), 1, "journal.db", "position", "restore")
        verified = run("verify", "--data", self.data)
        self.assertEqual(verified.returncode, 4, verified)

    def killed(self, users=30):
        """As filled(), but the server was killed, so that `-wal` holds entries."""
        server = Server(folder=self.folder)
        with server:
            server.create("kept", 100, issue_rate=0)
            for number in range(users):
                self.assertEqual(server.claim("kept", f"u{number}").status, 201)
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
            server.process.stdout.close()
            server.process = None
        return self.data / "journal.db-wal"

    def test_torn_tail(self):
        # Half a commit at the end is what a power cut leaves: cut off, and the server starts with all before it.
        wal = self.killed()
        with open(wal, "ab") as tail:
            tail.write(os.urandom(5000))
        with Server(folder=self.folder) as server:
            for number in range(30):
                self.assertEqual(server.claim("kept", f"u{number}").status, 200)
            self.assertEqual(server.claim("kept", "one-more").json()["rank"], 31)

    def test_corrupt_wal(self):
        wal = self.killed()
        raw = bytearray(wal.read_bytes())
        self.assertGreater(len(raw), 20000)
        raw[len(raw) // 3] ^= 1
        wal.write_bytes(raw)
        self.assert_refused(self.serve(), 1, "journal.db-wal", "restore")
        self.assertEqual(bytes(raw), wal.read_bytes(), "a refusal must leave the evidence as it was")

    def test_lost_journal_beside_a_fuller_store(self):
        self.filled()
        for file in self.data.glob("journal.db*"):
            file.unlink()
        self.assert_refused(self.serve(), 1, "journal.db", "journal.head", "32", "restore")
        (self.data / "journal.head").unlink()
        self.assert_refused(self.serve(), 2, "this store belongs to journal")

    def test_older_journal_beside_a_fuller_store(self):
        self.filled(10)
        shutil.copytree(self.data, self.folder / "backup")
        with Server(folder=self.folder) as server:
            for number in range(10, 20):
                server.claim("kept", f"u{number}")
            wait_for("they are written", lambda: len(
                server.admin("GET", "/v1/campaigns/kept/coupons").json()["coupons"]) == 20)
        for file in self.data.glob("journal.db*"):
            file.unlink()
        shutil.copy(self.folder / "backup" / "journal.db", self.data)
        self.assert_refused(self.serve(), 1, "journal.db", "journal.head", "restore")
        (self.data / "journal.head").unlink()
        self.assert_refused(self.serve(), 1, "the store is ahead of the journal", "restore")

    def test_lost_store_is_written_anew(self):
        self.filled()
        before = run("verify", "--data", self.data)
        self.assertEqual(before.returncode, 0, before)
        for file in self.data.glob("store.db*"):
            file.unlink()
        with Server(folder=self.folder) as server:
            wait_for("the coupons are back", lambda: len(
                server.admin("GET", "/v1/campaigns/kept/coupons").json()["coupons"]) == 30)
        after = run("verify", "--data", self.data)
        self.assertEqual(after.returncode, 0, after)


class Backup(Folder):
    def test_the_recipe_of_the_docs(self):
        """The commands of docs/operations.md as they stand there, but for the folders, and for who stops the server."""
        page = (pathlib.Path(__file__).parents[2] / "docs/operations.md").read_text()
        chapter = re.search(r"^## Back up and restore$(.*?)^## ", page, re.M | re.S)[1]
        recipe = "\n".join(line[4:] for line in chapter.splitlines() if line.startswith("    "))
        self.assertLess(recipe.index("systemctl stop firstcome"), recipe.index("cp -a"))
        self.assertLess(recipe.index("cp -a"), recipe.index("systemctl start firstcome"))
        systemctl = self.folder / "systemctl"
        systemctl.write_text('#!/bin/sh\n[ "$1" = start ] || { kill -TERM "$SERVER" && tail --pid="$SERVER" -f /dev/null; }\n')
        systemctl.chmod(0o755)
        backups = self.folder / "backups"
        backups.mkdir()
        recipe = recipe.replace("/var/lib/firstcome", str(self.data)).replace("/backup/", f"{backups}/")
        with Server(folder=self.folder) as server:
            server.create("kept", 100)
            bodies = [server.claim("kept", f"u{number}").body for number in range(30)]
            path = f"{pathlib.Path(FIRSTCOME).parent}:{self.folder}:{os.environ['PATH']}"
            environment = {**os.environ, "PATH": path, "SERVER": str(server.process.pid)}
            shell = subprocess.Popen(["bash", "-euo", "pipefail", "-c", recipe], env=environment,
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertEqual(server.process.wait(30), 0)
            printed, _ = shell.communicate(timeout=30)
            self.assertEqual(shell.returncode, 0, printed)
            self.assertIn("exact", printed)
            # The disaster, and the restore.
            server.process.stdout.close()
            shutil.rmtree(self.data)
            (backup,) = backups.iterdir()
            shutil.copytree(backup, self.data)
            server.start()
            for number, body in enumerate(bodies):
                again = server.claim("kept", f"u{number}")
                self.assertEqual((again.status, again.body), (200, body))
            self.assertEqual(server.claim("kept", "one-more").json()["rank"], 31)


class Unavailable(Folder):
    def test_a_database_that_another_program_holds(self):
        """Unavailable at the start: it keeps trying, /livez is 200, /readyz and claims are 503; and it serves when the way is free."""
        with Server(folder=self.folder) as server:
            server.create("kept", 100)
            body = server.claim("kept", "alice").body
        shutil.copytree(self.data, self.folder / "copy")
        for file in ("journal.db", "store.db"):
            with contextlib.closing(sqlite3.connect(self.data / file)) as database:
                database.execute("begin exclusive")
                process, port = self.starting()
                ask = lambda target, method="GET": self.ask(port, method, target)
                wait_for("/livez is 200", lambda: ask("/livez").status == 200)
                ready = ask("/readyz")
                self.assertEqual((ready.status, ready.json()["ready"]), (503, False))
                self.assertTrue(ready.json()["reasons"])
                metrics = self.ask(self.admin_port, "GET", "/metrics")
                self.assertEqual((metrics.status, metrics.header("Retry-After")), (503, "1"), "it is not up yet")
                claim = ask("/v1/campaigns/kept/claims", "POST")
                self.assertEqual((claim.status, claim.header("Retry-After")), (503, "1"))
                proof = run("verify", "--data", self.folder / "copy", "--process", f"http://127.0.0.1:{self.admin_port}")
                self.assertEqual(proof.returncode, 3, proof)
                self.assertIn("it is starting", proof.stdout)
                database.rollback()
            wait_for("/readyz is 200", lambda: ask("/readyz").status == 200)
            again = ask("/v1/campaigns/kept/claims", "POST")
            self.assertEqual((again.status, again.body), (200, body))
            process.terminate()
            _, said = process.communicate(timeout=30)
            self.assertEqual(process.returncode, 0, said)


class Words(Folder):
    def test_unknown_words_get_the_nearest_known_one(self):
        for arguments, nearest in ((["sevre"], "serve"), (["serve", "--dta", "x"], "--data"), (["verify", "--datta", "x"], "--data"),
                                   (["campaign", "craete", "x"], "create"), (["rush", "x", "--user", "5"], "--users")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, f"{arguments}: {result}")
            self.assertIn(nearest, result.stderr, f"{arguments}")
            self.assertEqual(result.stdout, "")

    def test_values_that_are_wrong(self):
        for arguments, word in ((["campaign", "create", "x", "--quota", "many"], "--quota"), (["campaign", "create", "x"], "--quota"),
                                (["claim", "x"], "--user"), (["rush", "x", "--users", "0"], "--users")):
            result = run(*arguments)
            self.assertEqual(result.returncode, 2, f"{arguments}: {result}")
            self.assertIn(word, result.stderr)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        for arguments in (["status", "x", "--url", url], ["claim", "x", "--user", "a", "--url", url], ["health", "--url", url],
                          ["campaign", "list", "--admin-url", url], ["coupons", "x", "--admin-url", url]):
            result = run(*arguments)
            self.assertEqual(result.returncode, 3, f"{arguments}: {result}")
            self.assertIn(f"127.0.0.1:{port}", result.stderr)

    def settings(self, text):
        path = self.folder / "firstcome.toml"
        path.write_text(text)
        return path

    def test_settings_file_with_mistakes(self):
        for text, line, column, *words in (
                ('listen = "127.0.0.1:0"\nwait_ms_max = = 5\n', 2, 15),
                ('listen = "127.0.0.1:0"\n  wiat_ms_max = 5\n', 2, 3, "wait_ms_max"),
                ('\n\nwait_ms_max = "long"\n', 3, 15, "wait_ms_max"),
                ('wait_ms_max = -1\n', 1, 15, "wait_ms_max"),
                ('wait_ms_max = 5\nwait_ms_max = 6\n', 2, 1, "wait_ms_max")):
            with self.subTest(text=text):
                path = self.settings(text)
                for result in (self.serve("--config", path), run("config", "check", "--config", path)):
                    self.assertEqual(result.returncode, 2, result)
                    self.assertIn(f"{path}:{line}:{column}", result.stderr)
                    for word in words:
                        self.assertIn(word, result.stderr)

    def test_sasl_without_a_password(self):
        options = '"security.protocol=sasl_ssl", "sasl.mechanism=SCRAM-SHA-512"'
        for more, words in (("", ("journal_options", "sasl.username")),
                            (', "sasl.username=firstcome"', ("journal_options", "--journal-password-file"))):
            path = self.settings(f'role = "api"\njournal = "kafka://127.0.0.1:1/t"\njournal_options = [{options}{more}]\n')
            for result in (self.serve("--config", path), run("config", "check", "--config", path)):
                self.assert_refused(result, 2, *words)
        fine = run("config", "check", "--config", path, environment={"FIRSTCOME_JOURNAL_PASSWORD": "any"})
        self.assertEqual(fine.returncode, 0, fine)

    def test_options_that_librdkafka_does_not_know(self):
        path = self.settings('role = "api"\njournal = "kafka://127.0.0.1:1/t"\njournal_options = ["sasl.name=x"]\n')
        self.assert_refused(run("config", "check", "--config", path), 2, "journal_options", "sasl.name")

    def test_settings_file_that_is_missing(self):
        self.assert_refused(self.serve("--config", self.folder / "none.toml"), 2, self.folder / "none.toml")

    def test_unknown_environment_setting(self):
        result = self.serve(environment={"FIRSTCOME_WIAT_MS_MAX": "5"})
        self.assert_refused(result, 2, "FIRSTCOME_WIAT_MS_MAX", "FIRSTCOME_WAIT_MS_MAX")

    def test_config_print_says_where_values_come_from(self):
        path = self.settings("wait_ms_max = 700\nidle_ms_max = 1000\n")
        result = run("config", "print", "--config", path, environment={"FIRSTCOME_IDLE_MS_MAX": "2000"})
        self.assertEqual(result.returncode, 0, result)
        lines = {line.split()[0]: line for line in result.stdout.splitlines() if line.strip()}
        self.assertIn("700", lines["wait_ms_max"])
        self.assertIn(str(path), lines["wait_ms_max"])
        self.assertIn("2000", lines["idle_ms_max"])
        self.assertIn("FIRSTCOME_IDLE_MS_MAX", lines["idle_ms_max"])
        self.assertIn("default", lines["quota_max"])


class End(Folder):
    def test_sigterm_answers_what_is_in_flight(self):
        with Server(folder=self.folder) as server:
            server.create("end", 1000)
            connections = [wire.Connection(server.port) for _ in range(50)]
            for number, connection in enumerate(connections):
                connection.send(wire.render("POST", "/v1/campaigns/end/claims", {"X-User": f"u{number}"}))
            # Each of them is in the server's hands: the kernel took the bytes, and nothing says that they were read yet.
            answers = []
            self.assertEqual(server.stop(), 0, server.text())
            for connection in connections:
                try:
                    answers.append(connection.answer().status)
                except (ConnectionResetError, BrokenPipeError):
                    answers.append(None)  # never read by the server, or refused as new
                connection.close()
            self.assertTrue(set(answers) <= {201, 503, None}, answers)
            told = sum(status == 201 for status in answers)
            server.start()
            remaining = server.get("/v1/campaigns/end").json()["remaining"]
            self.assertLessEqual(remaining, 1000 - told)

    def test_sigterm_ends_a_start_at_once(self):
        # A disk that hangs stands for a long journal: nobody ever writes into this pipe.
        self.data.mkdir()
        os.mkfifo(self.data / "journal.db-wal")
        process, port = self.starting()
        wait_for("it reads the journal", lambda: b"reading the journal" in self.ask(port, "GET", "/readyz").body)
        process.terminate()
        _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 0, said)
        self.assertIn("before it was ready", said)

    def test_second_sigterm_ends_at_once(self):
        # A client that never reads its answers keeps the drain busy; the second SIGTERM does not wait for it.
        with Server(folder=self.folder, environment={"FIRSTCOME_DRAIN_MS_MAX": "60000"}) as server:
            server.create("twice", 10)
            with wire.Connection(server.port) as connection:
                connection.send("POST /v1/campaigns/twice/claims HTTP/1.1\r\nHost: x\r\nX-User: a\r\nContent-Length: 9\r\n\r\n{")
                server.process.send_signal(signal.SIGTERM)
                wait_for("it said that it stops", lambda: "going down" in server.text(), 5)
                server.process.send_signal(signal.SIGTERM)
                server.process.wait(5)
            server.process.stdout.close()
            server.process = None

    def test_sigint_ends_well_too(self):
        with Server(folder=self.folder) as server:
            server.process.send_signal(signal.SIGINT)
            self.assertEqual(server.process.wait(30), 0)
            server.process.stdout.close()
            server.process = None

    def test_claims_survive_a_kill(self):
        server = Server(folder=self.folder)
        with server:
            server.create("kept", 100)
            bodies = [server.claim("kept", f"u{number}").body for number in range(20)]
            server.process.kill()
            server.process.wait()
            server.process.stdout.close()
            server.start()
            for number, body in enumerate(bodies):
                again = server.claim("kept", f"u{number}")
                self.assertEqual((again.status, again.body), (200, body))
