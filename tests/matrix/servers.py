"""The real servers of the matrix: a set of its own (tools/x/servers.sh), and toxiproxy between it and the processes."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BASE = int(os.environ.get("FAULT_PORT", "19000"))  # of all ports; two runs on one machine differ in it
LINKS = 4  # one of each process
TOXIPROXY_PORT = BASE + 999
PORTS = {"redis": 379, "redis-replica": 380, "redis-sentinel": 381, "redis-primary": 383, "mariadb": 306, "kafka": 92,
         "kafka-1": 94, "kafka-2": 95, "kafka-3": 96}
BROKERS = ["kafka-1", "kafka-2", "kafka-3"]
USER = "firstcome"  # of MariaDB: root may write where read_only is set


class Servers:
    def __init__(self, folder):
        self.folder = folder
        self.environment = {**os.environ, "SERVERS_PORT": str(BASE), "SERVERS_FOLDER": folder,
                            "SERVERS_LINKS": str(LINKS), "SERVERS_CUT_OFF": os.environ["CUT_OFF"]}
        self.proxy = None

    def port(self, name):
        return BASE + PORTS[name]

    def up(self, *names):
        ran = subprocess.run([f"{ROOT}/x", "servers", "up", *names], env=self.environment, stdin=subprocess.DEVNULL,
                             capture_output=True, text=True)
        if ran.returncode != 0:
            raise RuntimeError(f"servers up {' '.join(names)}: {ran.stdout}{ran.stderr}")

    def down(self):
        subprocess.run([f"{ROOT}/x", "servers", "down"], env=self.environment, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, check=False)
        if self.proxy:
            self.proxy.kill()
            self.proxy.wait()

    def pid(self, name):
        with open(f"{self.folder}/{name}/pid", encoding="ascii") as file:
            return int(file.read())

    def signal(self, name, number):
        os.kill(self.pid(name), number)

    def kill(self, name):
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.01)

    def cut_off(self, broker):
        """From the other brokers, but not from clients."""
        with open(self._cut(broker), "wb"):
            pass

    def _cut(self, broker):
        return f"{self.folder}/{broker}/cut-off"

    def forget_copy(self, name):
        """So that a Redis that is started again is empty."""
        if os.path.exists(f"{self.folder}/{name}/dump.rdb"):
            os.remove(f"{self.folder}/{name}/dump.rdb")

    def redis(self, *words, name="redis"):
        ran = subprocess.run(["redis-cli", "-p", str(self.port(name)), *words], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, timeout=20)
        return ran.stdout.strip()

    def sql(self, text, database="", user="root", check=True):
        ran = subprocess.run(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port('mariadb')}", f"-u{user}", "-N",
                              "-e", text, *([database] if database else [])],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        if check and ran.returncode != 0:
            raise RuntimeError(f"{text}: {ran.stderr}")
        return ran.stdout.strip()

    def sql_session(self, text, database):
        """A session of somebody else, in the background. It goes on after an error: -e takes back an -f before it."""
        return subprocess.Popen(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port('mariadb')}", "-uroot",
                                 "-N", "-e", text, "-f", database], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    # toxiproxy

    def start_proxy(self, program):
        self.proxy = subprocess.Popen([program, "-host", "127.0.0.1", "-port", str(TOXIPROXY_PORT)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                return self._ask("GET", "/version")
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("toxiproxy did not start")

    def _ask(self, method, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{TOXIPROXY_PORT}{path}", method=method,
                                         data=json.dumps(body).encode() if body is not None else None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def add_link(self, name, listen, upstream):
        self._ask("POST", "/proxies", {"name": name, "listen": f"127.0.0.1:{listen}",
                                       "upstream": f"127.0.0.1:{upstream}", "enabled": True})

    def cut(self, name):
        """Every connection is closed, and none is made."""
        self._ask("POST", f"/proxies/{name}", {"enabled": False})

    def slow(self, name, milliseconds):
        for stream in ("upstream", "downstream"):
            self._ask("POST", f"/proxies/{name}/toxics", {"name": stream, "type": "latency", "stream": stream,
                                                          "attributes": {"latency": milliseconds}})

    def half_open(self, name, streams=("upstream", "downstream")):
        """Connections stay, and nothing comes through."""
        for stream in streams:
            self._ask("POST", f"/proxies/{name}/toxics", {"name": stream, "type": "timeout", "stream": stream,
                                                          "attributes": {"timeout": 0}})

    def heal(self):
        self._ask("POST", "/reset")
        for broker in BROKERS:
            if os.path.exists(self._cut(broker)):
                os.remove(self._cut(broker))


def metric(page, name):
    """The sum of a metric over its labels; 0 where it is not."""
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.M))
