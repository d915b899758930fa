"""What can happen to the memory of the gate: it is lost, full, rolled back, split in two. The gate may lie; the
standings count."""

import re
import time

import felt
from process import Broken, wait_until
from servers import BASE

BEHIND_S = 0.7
APART = 100  # users whom only one of two primaries knows


def forgot(before, now):
    """A number of users that the gate knew and does not know any more."""
    if now >= before:
        raise Broken(f"the gate knew {before} users, and forgot none: it knows {now}")
    return lambda: before - now


def anew(scene):
    """The limit of the gate's meta, once there is one again: that many places an api saw free."""
    return wait_until(lambda: scene.servers.redis("HGET", scene.gate_key("meta"), "limit"), 5, "the gate begins anew")


def flushall(scene):
    known = scene.users_in_gate()
    scene.servers.redis("FLUSHALL")
    limit = int(anew(scene))
    if limit >= scene.quota:
        raise Broken(f"the gate began anew with a limit of {limit}: the rush had not begun")
    return lambda: known


def users_deleted(scene):
    known = scene.users_in_gate()
    scene.servers.redis("DEL", scene.gate_key("users"))
    wait_until(scene.users_in_gate, 5, "the gate begins anew")
    return lambda: known


def meta_deleted(scene):
    """The users stay, and the limit is made anew."""
    known = scene.users_in_gate()
    scene.servers.redis("DEL", scene.gate_key("meta"))
    anew(scene)
    return lambda: known


def loads(scene):
    said = re.search(r"cmdstat_function\|load:calls=(\d+)", scene.servers.redis("INFO", "commandstats"))
    return int(said[1]) if said else 0


def function_deleted(scene):
    before = loads(scene)
    scene.servers.redis("FUNCTION", "FLUSH")
    wait_until(lambda: "firstcome" in scene.servers.redis("FUNCTION", "LIST"), 10, "the api loads the function again")
    return lambda: loads(scene) - before


def memory_full(scene):
    count = felt.by_gate(scene)
    scene.servers.redis("CONFIG", "SET", "maxmemory", "1")
    time.sleep(2)
    scene.servers.redis("CONFIG", "SET", "maxmemory", "0")
    return count


def restarted_empty(scene):
    known = scene.users_in_gate()
    scene.servers.kill("redis")
    scene.servers.up("redis")
    anew(scene)
    return lambda: known


def restarted_with_older_copy(scene):
    scene.servers.redis("SAVE")
    copied = scene.users_in_gate()
    time.sleep(BEHIND_S)
    known = scene.users_in_gate()
    scene.servers.kill("redis")
    scene.servers.up("redis")
    scene.servers.forget_copy("redis")
    if not scene.users_in_gate():
        raise Broken("Redis came back without its copy")
    return forgot(known, copied)


def failover_to_one_that_is_behind(scene):
    """The replica is kept from its primary, by a wrong password, while users are let through; then the primary dies."""
    servers = scene.servers
    servers.redis("CONFIG", "SET", "masterauth", "wrong", name="redis-replica")
    servers.redis("CLIENT", "KILL", "TYPE", "REPLICA", name="redis-primary")
    time.sleep(BEHIND_S)
    count = forgot(scene.users_in_gate("redis-primary"), scene.users_in_gate("redis-replica"))
    servers.kill("redis-primary")
    wait_until(lambda: "role:master" in servers.redis("INFO", "replication", name="redis-replica"), 20,
               "the sentinel makes the replica the primary")
    wait_until(lambda: scene.users_in_gate("redis-replica") > 0, 1, "it answers")
    return count


def two_primaries(scene):
    """Each api has its own, and both are alive and let users through."""
    had = {name: scene.users_in_gate(name) for name in ("redis-primary", "redis-replica")}
    scene.servers.redis("REPLICAOF", "NO", "ONE", name="redis-replica")
    wait_until(lambda: all(scene.users_in_gate(name) > had[name] + APART for name in had), 5, "both let users through")
    return felt.too_many_tickets(scene)


def prepare(scene):
    """Before the processes start: a primary with a replica that follows it, whatever the cell before did."""
    servers = scene.servers
    replica, primary = servers.port("redis-replica"), servers.port("redis-primary")
    servers.redis("CONFIG", "SET", "masterauth", "", name="redis-replica")
    servers.redis("REPLICAOF", "NO", "ONE", name="redis-primary")
    servers.redis("FUNCTION", "FLUSH", name="redis-primary")  # its disk may have the library of an older build
    servers.redis("REPLICAOF", "127.0.0.1", str(primary), name="redis-replica")
    servers.redis("SENTINEL", "REMOVE", "firstcome", name="redis-sentinel")
    servers.redis("SENTINEL", "MONITOR", "firstcome", "127.0.0.1", str(primary), "1", name="redis-sentinel")
    for key, value in (("down-after-milliseconds", "1000"), ("failover-timeout", "5000")):
        servers.redis("SENTINEL", "SET", "firstcome", key, value, name="redis-sentinel")
    wait_until(lambda: "master_link_status:up" in servers.redis("INFO", "replication", name="redis-replica"), 20,
               "the replica follows")
    wait_until(lambda: f"ip=127.0.0.1,port={replica}" in servers.redis("INFO", "replication", name="redis-primary"), 20,
               "the primary knows its replica")
    wait_until(lambda: "slaves=1" in servers.redis("INFO", "sentinel", name="redis-sentinel"), 20,
               "the sentinel knows the replica")


def prepare_two(scene):
    prepare(scene)
    scene.gates = {f"api-{number}": f"redis://127.0.0.1:{scene.servers.port(name)}"
                   for number, name in ((1, "redis-primary"), (2, "redis-replica"))}


def prepare_failover(scene):
    prepare(scene)
    scene.gates = dict.fromkeys(("api-1", "api-2"), f"redis-sentinel://127.0.0.1:{BASE + 381}/firstcome")


PREPARE = {"redis: failover to one that is behind": prepare_failover, "redis: two primaries at once": prepare_two}
CELLS = {
    "redis: FLUSHALL": flushall,
    "redis: its users deleted": users_deleted,
    "redis: its limit deleted": meta_deleted,
    "redis: function deleted": function_deleted,
    "redis: maxmemory reached": memory_full,
    "redis: restarted without its data": restarted_empty,
    "redis: restarted with an older copy": restarted_with_older_copy,
    "redis: failover to one that is behind": failover_to_one_that_is_behind,
    "redis: two primaries at once": two_primaries,
}
