"""One process of firstcome in a scene: an api, an issuer or both, and what it says of itself."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request

from server import Broken
from servers import BASE, USER, metric

READY_S_MAX = 90


def wait_until(condition, seconds, what):
    """What the condition found; a server that cannot be asked for now is asked again."""
    end, away = time.monotonic() + seconds, None
    while True:
        try:
            if found := condition():
                return found
        except (OSError, subprocess.SubprocessError) as error:
            away = error
        if time.monotonic() >= end:
            raise Broken(f"not within {seconds} s: {what}{f' (lately {away})' if away else ''}")
        time.sleep(0.02)


class Process:
    """Its name begins with its role; the links to the servers are its own."""

    def __init__(self, scene, name, link):
        self.scene, self.name, self.link = scene, name, link
        self.role = name.split("-", maxsplit=1)[0]
        self.is_api, self.is_issuer = self.role != "issuer", self.role != "api"
        self.port, self.admin_port = BASE + 830 + self.link, BASE + 840 + self.link
        self.log = f"{scene.folder}/{name}.log"
        self.process = None

    def links(self):
        mine = [f"{broker}-{self.link}" for broker in self.scene.brokers]
        if self.is_api:
            mine += [f"redis-{self.link}", f"users-{self.link}"]
        if self.is_issuer:
            mine += [f"mariadb-{self.link}"]
        return mine

    def start(self, environment=None, prefix=()):
        scene = self.scene
        brokers = ",".join(f"127.0.0.1:{scene.servers.port(broker) + 600 + 10 * self.link}" for broker in scene.brokers)
        words = [scene.program, "serve", "--role", self.role, "--journal",
                 f"kafka://{brokers}/{scene.topic}", "--admin-listen", f"127.0.0.1:{self.admin_port}"]
        if self.is_api:
            gate = scene.gates.get(self.name, f"redis://127.0.0.1:{BASE + 800 + self.link}")
            words += ["--listen", f"127.0.0.1:{self.port}", "--loops", "1", "--gate", gate,
                      "--gate-prefix", scene.topic]
        if self.is_issuer:
            port = scene.stores.get(self.name, BASE + 810 + self.link)
            words += ["--store", f"mysql://{USER}@127.0.0.1:{port}/{scene.database}"]
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
