"""Every part is killed, stopped and started again; every link is cut, slow and half-open."""

import signal
import time

from scene import NAMES, wait_until

STOP_S = 5
LINK_S = 2.5
SLOW_MS = 400
APIS, ISSUERS = NAMES[:2], NAMES[2:]


def proxies_of(scene, part):
    """The links of one process, or all links to one server."""
    if part == "api":
        return scene.api_1.links()
    if part == "issuer":
        return scene.working_issuer().links()
    if part == "redis":
        return ["redis-1", "redis-2"]
    if part == "mariadb":
        return ["mariadb-3", "mariadb-4"]
    return [f"{broker}-{link}" for broker in scene.brokers for link in range(1, 5)]


class Felt:
    """How often a part's fault was felt, from now on."""

    def __init__(self, scene, part):
        self.scene, self.part = scene, part
        self.before = {name: self._sum(name) for name in self._metrics()}
        self.worker = scene.working_issuer()

    def _metrics(self):
        return {"redis": ["firstcome_gate_bypasses_total", "firstcome_gate_faults_total"],
                "mariadb": ["firstcome_store_faults_total", "firstcome_store_repeats_total",
                            "firstcome_store_connections_lost_total"],
                "issuer": ["firstcome_store_faults_total"]}.get(self.part, [])

    def _sum(self, name):
        return self.scene.total(name)

    def count(self):
        scene = self.scene
        if self.part in ("api", "kafka"):
            return scene.disturbed()
        felt = sum(max(0, self._sum(name) - before) for name, before in self.before.items())
        if self.part == "issuer":
            felt += scene.working_issuer() is not self.worker
        if felt == 0 and self.part in ("mariadb", "issuer"):
            felt = sum(one.metric("firstcome_store_commit_seconds_sum") > SLOW_MS / 1000
                       for one in (scene.issuer_1, scene.issuer_2))
        return felt


def kill(scene, part):
    felt = Felt(scene, part)
    if part in ("api", "issuer"):
        process = scene.api_1 if part == "api" else scene.working_issuer()
        process.kill()
        time.sleep(1)
        process.start()
    else:
        name = scene.brokers[0] if part == "kafka" else part
        scene.servers.kill(name)
        time.sleep(1)
        scene.servers.up(name)
    return felt.count


def stop(scene, part):
    felt = Felt(scene, part)
    if part in ("api", "issuer"):
        process = scene.api_1 if part == "api" else scene.working_issuer()
        process.send(signal.SIGSTOP)
        time.sleep(STOP_S)
        if part == "issuer":
            wait_until(scene.spare(process).at_work, 10, "the spare took over")
        process.send(signal.SIGCONT)
    else:
        name = scene.brokers[0] if part == "kafka" else part
        scene.servers.signal(name, signal.SIGSTOP)
        time.sleep(STOP_S)
        scene.servers.signal(name, signal.SIGCONT)
    return felt.count


def cut(scene, part):
    return on_links(scene, part, scene.servers.cut)


def slow(scene, part):
    return on_links(scene, part, lambda link: scene.servers.slow(link, SLOW_MS))


def half_open(scene, part):
    return on_links(scene, part, scene.servers.half_open)


def on_links(scene, part, spoil):
    felt = Felt(scene, part)
    for link in proxies_of(scene, part):
        spoil(link)
    time.sleep(LINK_S)
    scene.servers.heal()
    return felt.count


def named(what, part):
    return lambda scene: what(scene, part)


PARTS = ("api", "issuer", "redis", "kafka", "mariadb")
CELLS = {f"{what.__name__.replace('_', '-')} {part}": named(what, part)
         for what in (kill, stop, cut, slow, half_open) for part in PARTS}
