"""Every part is killed, stopped and started again; every link is cut, slow and half-open. The part `all` is one of two
processes that are api and issuer, the one whose issuer is at work. With `promise store` winners are told when their
coupons are written."""

import signal
import time

import felt
from process import wait_until
from scene import TOGETHER

STOP_S = 5
STORE_STOP_S = 8  # an issuer waits 5 s for an answer of its store
LINK_S = 2.5
SLOW_MS = 400


def links_of(scene, part):
    """The links of one process, or all links to one server."""
    if part == "api":
        return scene.api_1.links()
    if part in ISSUERS:
        return process_of(scene, part).links()
    if part == "redis":
        return ["redis-1", "redis-2"]
    if part == "mariadb":
        return ["mariadb-3", "mariadb-4"]
    return [f"{broker}-{link}" for broker in scene.brokers for link in range(1, 5)]


FELT = {"api": felt.by_users, "kafka": felt.by_users, "redis": felt.by_gate, "issuer": felt.by_issuer,
        "mariadb": felt.by_issuer, "all": felt.by_users}
ISSUERS = ("issuer", "all")


def process_of(scene, part):
    if part in ISSUERS:
        return wait_until(scene.working_issuer, 10, "an issuer is at work")
    return scene.api_1 if part == "api" else None


def server_of(scene, part):
    return scene.brokers[0] if part == "kafka" else part


def kill(scene, part):
    process, count = process_of(scene, part), FELT[part](scene)
    if process:
        process.kill()
        if part in ISSUERS:
            count = felt.written_by_others(scene, scene.rows())
        time.sleep(1)
        process.start()
    else:
        if part == "redis":
            scene.servers.redis("SAVE")  # it comes back with all of it; gate_cells.py has the other cases
        scene.servers.kill(server_of(scene, part))
        time.sleep(1)
        scene.servers.up(server_of(scene, part))
        scene.servers.forget_copy("redis")
    return count


def stop(scene, part):
    process, count = process_of(scene, part), FELT[part](scene)
    if process:
        process.send(signal.SIGSTOP)
        if part in ISSUERS:
            count = felt.written_by_others(scene, scene.rows())
        time.sleep(STOP_S)
        if part in ISSUERS:
            wait_until(scene.spare(process).at_work, 10, "the spare took over")
        process.send(signal.SIGCONT)
    else:
        scene.servers.signal(server_of(scene, part), signal.SIGSTOP)
        time.sleep(STORE_STOP_S if part == "mariadb" else STOP_S)
        scene.servers.signal(server_of(scene, part), signal.SIGCONT)
    return count


def on_links(spoil):
    def spoilt(scene, part):
        links, count = links_of(scene, part), FELT[part](scene)
        for link in links:
            spoil(scene.servers, link)
        time.sleep(LINK_S)
        scene.late_coupons = felt.late_coupons(scene)
        scene.servers.heal()
        return count
    return spoilt


DEEDS = {
    "kill": kill,
    "stop": stop,
    "cut": on_links(lambda servers, link: servers.cut(link)),
    "slow": on_links(lambda servers, link: servers.slow(link, SLOW_MS)),
    "half-open": on_links(lambda servers, link: servers.half_open(link)),
}


def named(deed, part):
    return lambda scene: deed(scene, part)


def together(scene):
    scene.be_made_of(TOGETHER)


def promise_store(scene):
    scene.campaign_words = ["--promise", "store"]


PARTS = ("api", "issuer", "redis", "kafka", "mariadb", "all")
PROMISE_STORE = (("kill", "issuer"), ("stop", "issuer"), ("stop", "mariadb"), ("cut", "mariadb"), ("kill", "api"),
                 ("kill", "kafka"))
CELLS = {f"{name} {part}": named(deed, part) for name, deed in DEEDS.items() for part in PARTS}
CELLS |= {f"{name} {part}, promise store": named(DEEDS[name], part) for name, part in PROMISE_STORE}
PREPARE = {name: together if name.endswith(" all") else promise_store for name in CELLS
           if name.endswith((" all", ", promise store"))}
