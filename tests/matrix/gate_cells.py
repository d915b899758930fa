"""What can happen to the memory of the gate: it is lost, full, rolled back, split in two. The gate may lie; the standings
count."""

import time

from scene import CAMPAIGN, wait_until
from servers import BASE


def bypassed(scene):
    before = scene.total("firstcome_gate_bypasses_total")
    return lambda: scene.total("firstcome_gate_bypasses_total") - before


def beyond(scene):
    """Tickets beyond the quota: what the gate let through too many. A gate that forgot lets more through than there are
    places."""
    return lambda: scene.total("firstcome_gate_answers_total") > 0 and scene.tickets() - scene.quota


def flushall(scene):
    scene.servers.redis("FLUSHALL")
    return beyond(scene)


def a_key_deleted(scene):
    for key in scene.servers.redis("--scan", "--pattern", f"{scene.topic}*users*").split():
        scene.servers.redis("DEL", key)
    return beyond(scene)


def function_deleted(scene):
    before = int(scene.servers.redis("INFO", "commandstats").count("cmdstat_function|load"))
    scene.servers.redis("FUNCTION", "FLUSH")
    wait_until(lambda: "firstcome" in scene.servers.redis("FUNCTION", "LIST"), 10, "the api loads the function again")
    return lambda: before + 1


def memory_full(scene):
    felt = bypassed(scene)
    scene.servers.redis("CONFIG", "SET", "maxmemory", "1")
    time.sleep(2)
    scene.servers.redis("CONFIG", "SET", "maxmemory", "0")
    return felt


def failover_to_one_that_is_behind(scene):
    """The replica sleeps while users are let through, then the primary dies."""
    servers = scene.servers
    sleeping = servers.sleep_redis("redis-replica", 1.5)
    time.sleep(1)
    servers.kill("redis-primary")
    sleeping.wait()
    wait_until(lambda: "role:master" in servers.redis("INFO", "replication", name="redis-replica"), 20,
               "the sentinel makes the replica the primary")
    wait_until(lambda: servers.redis("EXISTS", f"{scene.topic}:{{{CAMPAIGN}}}:users", name="redis-replica") is not None, 1,
               "it answers")
    before = scene.total("firstcome_gate_faults_total")
    return lambda: before


def two_primaries(scene):
    """Each api has its own, and both are alive."""
    scene.servers.redis("REPLICAOF", "NO", "ONE", name="redis-replica")
    return beyond(scene)


OF_TWO = {"redis: failover to one that is behind", "redis: two primaries at once"}


def prepare(scene, name):
    """Before the processes start: a primary with a replica that follows it, whatever the cell before did."""
    servers = scene.servers
    replica, primary = servers.port("redis-replica"), servers.port("redis-primary")
    servers.redis("REPLICAOF", "NO", "ONE", name="redis-primary")
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
    if name == "redis: two primaries at once":
        scene.gates = {"api-1": f"redis://127.0.0.1:{primary}", "api-2": f"redis://127.0.0.1:{replica}"}
    else:
        gate = f"redis-sentinel://127.0.0.1:{BASE + 381}/firstcome"
        scene.gates = {"api-1": gate, "api-2": gate}


CELLS = {
    "redis: FLUSHALL": flushall,
    "redis: one key deleted": a_key_deleted,
    "redis: function deleted": function_deleted,
    "redis: maxmemory reached": memory_full,
    "redis: failover to one that is behind": failover_to_one_that_is_behind,
    "redis: two primaries at once": two_primaries,
}
