"""The real Redis, Kafka and MariaDB of `./x servers up`: asked for what they have done, never started or stopped."""

import os
import pathlib
import re
import socket
import struct
import subprocess

from processes import Broken

TICK = os.sysconf("SC_CLK_TCK")


class RealServer:
    def __init__(self, name, variable):
        self.name = name
        self.address = os.environ[variable]
        host, port = self.address.rsplit(":", 1)
        self.host, self.port = host, int(port)
        self.folder = pathlib.Path(os.environ["SERVERS_FOLDER"]) / name
        try:
            self.pid = int((self.folder / "pid").read_text())
            command = pathlib.Path(f"/proc/{self.pid}/cmdline").read_bytes().decode()
        except OSError:
            command = ""
        # A pid file may outlive its process, and the number be another's by now.
        if f"{self.folder}/" not in command:
            raise Broken(f"{name} does not run in {self.folder}: ./x servers up")

    def cpu(self):
        """Seconds of the processor, threads that have ended too."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=30)


class Redis(RealServer):
    def __init__(self):
        super().__init__("redis", "TEST_REDIS")

    def ask(self, *words):
        """On a connection of its own: one that is kept for minutes may be cut."""
        parts = [str(word).encode() for word in words]
        with self.connect() as connection, connection.makefile("rb") as answers:
            connection.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
            line = answers.readline().rstrip()
            kind, rest = line[:1], line[1:]
            if kind == b"$" and rest != b"-1":
                return answers.read(int(rest) + 2)[:-2]
        if kind not in b"+:$" or not line:
            raise Broken(f"Redis answers {line} to {words[0]}")
        return int(rest) if kind == b":" else rest

    def clients(self):
        return int(re.search(r"connected_clients:(\d+)", self.ask("INFO", "clients").decode())[1])

    def commands(self):
        """How many it has run, but for the questions of this function."""
        stats = self.ask("INFO", "commandstats").decode()
        return sum(int(calls) for name, calls in re.findall(r"^cmdstat_(\S+?):calls=(\d+)", stats, re.M) if name != "info")


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Kafka(RealServer):
    """One broker, and topics of one partition."""

    DELETE_TOPICS, LIST_OFFSETS = (20, 1), (2, 1)
    UNKNOWN_TOPIC = 3

    def __init__(self):
        super().__init__("kafka", "TEST_KAFKA")

    def _ask(self, kind, body):
        message = struct.pack(">hhi", *kind, 1) + text("bench") + body
        with self.connect() as connection, connection.makefile("rb") as answers:
            connection.sendall(struct.pack(">i", len(message)) + message)
            return answers.read(struct.unpack(">i", answers.read(4))[0])[4:]

    def end(self, topic):
        """The offset that the next message gets."""
        told = self._ask(self.LIST_OFFSETS, struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">iiq", 1, 0, -1))
        error, _, offset = struct.unpack(">hqq", told[-18:])
        if error:
            raise Broken(f"Kafka does not tell the end of {topic}: error {error}")
        return offset

    def delete(self, topic):
        told = self._ask(self.DELETE_TOPICS, struct.pack(">i", 1) + text(topic) + struct.pack(">i", 30_000))
        error = struct.unpack(">h", told[-2:])[0]
        if error not in (0, self.UNKNOWN_TOPIC):
            raise Broken(f"Kafka does not delete {topic}: error {error}")


class MariaDB(RealServer):
    def __init__(self):
        super().__init__("mariadb", "TEST_MARIADB")

    def ask(self, statement):
        run = subprocess.run(["mariadb", "--no-defaults", "-h", self.host, "-P", str(self.port), "-u", "root", "-N", "-B", "-e", statement],
                             capture_output=True, text=True)
        if run.returncode != 0:
            raise Broken(f"MariaDB does not take {statement!r}: {run.stderr}")
        return run.stdout

    def _status(self, name):
        return int(self.ask(f"show global status like '{name}'").split()[1])

    def clients(self):
        return self._status("Threads_connected")

    def questions(self):
        """Statements of its clients so far."""
        return self._status("Questions")


class Servers:
    """All three. Who else uses them is measured too: it is said."""

    def __init__(self, say):
        self.redis, self.kafka, self.mariadb = Redis(), Kafka(), MariaDB()
        others = {"Redis": self.redis.clients() - 1, "MariaDB": self.mariadb.clients() - 1}
        for name, count in others.items():
            if count > 0:
                say(f"{count} others are connected to {name}, and the numbers will show it")

    def all(self):
        return self.redis, self.kafka, self.mariadb

    def cpu(self):
        return {server.name: server.cpu() for server in self.all()}

    def traffic(self, topic):
        """Commands at Redis, messages in the topic, statements at MariaDB: all that anybody has sent so far."""
        return self.redis.commands() + self.kafka.end(topic) + self.mariadb.questions()

    def own_traffic(self, topic):
        """What looking at the traffic adds to it."""
        seen = [self.traffic(topic) for _ in range(4)]
        return min(later - before for before, later in zip(seen, seen[1:]))
