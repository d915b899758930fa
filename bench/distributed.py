"""The rows of `./x bench distributed`: firstcome on the real Redis, Kafka and MariaDB of `./x servers up`, in rounds as in
rows.py, and `firstcome verify` after each measure. "ours" in a split is all processes of firstcome together."""

import contextlib
import re
import time

from installation import Installation, load_all, spent
from nginx import Nginx, ScriptPeer
from processes import BUILD, CORES, SERVER_CORE, Broken, ask, load, wait_for
from rows import Users, in_turn, of_each, program
from servers import Servers
from table import Limit, Line

SERVERS = {"redis": "Redis", "kafka": "Kafka", "mariadb": "MariaDB"}
# As long as a `won` of ours.
WON = (b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 148\r\nCache-Control: no-store\r\n\r\n" +
       b" " * 148)
CONNECTIONS = 512
IDLE_S = 3


def split(runs, peers=(), what="a claim", ours="ours", peer=("redis",)):
    """Who used how many microseconds of CPU; `peer`: whom the peer uses besides itself."""
    for name, spoken in {"ours": ours, **SERVERS}.items():
        yield Line(f"  µs of CPU {what}: {spoken}", [run[name] for run in runs],
                   [run[name] for run in peers] if name in ("ours", *peer) else None, ratio=[] if peers else None)


def refused(bench):
    """CPU per refused claim: sealed, one loop, 64 connections, beside nginx's constant; and what goes to the servers meanwhile"""
    servers, users, requests = Servers(bench.say), Users(), bench.some(1_000_000)
    warm = min(requests, 20_000)
    with Installation(bench, servers) as place:
        api = place.api(cores=(SERVER_CORE,))
        place.issuer()
        api.create(1, 100)
        api.seal(1, 100)
        place.wait_until_written(100)
        place.stop(place.issuers)  # an issuer beats at the store, claims or not
        looking = servers.own_traffic(place.topic)
        seen = []  # beside each run of ours

        def measure(name, server):
            if name != "ours":
                return load(server, warm=warm, requests=requests, first_user=users.take(requests + warm))
            idle, cpu_idle, _ = api.traffic_a_second(lambda: time.sleep(IDLE_S))
            before = servers.traffic(place.topic)
            loaded, cpu_loaded, run = api.traffic_a_second(
                lambda: load(server, warm=warm, requests=requests, first_user=users.take(requests + warm)))
            commands = servers.traffic(place.topic) - before - looking
            above_idle = {who: (cpu_loaded[who] - cpu_idle[who]) * 1e6 / run.per_second for who in cpu_idle}
            seen.append((commands, loaded, idle, {"ours": run.cpu_us, **above_idle}))
            return run

        with Nginx(bench.place(), ask(api.port, "POST", "/v1/campaigns/lunch/claims")) as nginx:
            runs = in_turn(bench, "refused claim", {"ours": api, "nginx": nginx}, measure)
        place.verify()
    cpu, rate = of_each(runs, "cpu_us"), of_each(runs, "per_second")
    yield Line("refused claim (sealed), µs of CPU", cpu["ours"], cpu["nginx"],
               at_least=Limit("ratio", "<=", 1.1, "<= 1.1 x nginx"), hoped=Limit("ratio", "<=", 1.0, "<= 1.0 x"))
    yield Line("  answers a second", rate["ours"], rate["nginx"], digits=0)
    yield Line("  commands to Redis, messages to Kafka, statements to MariaDB", [one[0] for one in seen], digits=0,
               at_least=Limit("ours", "<=", 0, "none"))
    yield Line("  packets to them a second (floor: without a claim)", [one[1] for one in seen], None, [one[2] for one in seen], digits=1)
    yield from split([one[3] for one in seen], what="a claim, beyond the idle servers'")


@contextlib.contextmanager
def opened(bench, servers, quota, apis, rate=1_000):
    """So many apis, which share the machine's cores, and an issuer, which know a campaign."""
    with Installation(bench, servers) as place:
        for _ in range(apis):
            place.api("--loops", max(1, len(CORES) // apis))
        place.issuer(rate)
        place.apis[0].create(1, quota)
        wait_for("every api knows the campaign", lambda: all(api.metric("firstcome_campaigns") == 1 for api in place.apis))
        yield place


def won_by(bench, servers, quota, apis):
    """All of `quota` won, at so many apis; verified."""
    with opened(bench, servers, quota, apis) as place:
        run = load_all(place.apis, place.cpu, quota, CONNECTIONS, quota=quota)
        place.verify()
        return run


def wins(bench):
    """Durable wins through Redis and Kafka: 512 connections, issuer at 1,000 rows/s; beside nginx, Lua and a Redis script"""
    servers, quota = Servers(bench.say), bench.some(300_000)

    def peer():
        with ScriptPeer(bench.place(), servers.redis, quota, WON) as nginx:
            run = load_all([nginx], lambda: {"ours": nginx.cpu(), **servers.cpu()}, quota, CONNECTIONS, quota=quota)
            if nginx.winners() != quota:
                raise Broken(f"the peer has {nginx.winners()} winners for {quota} places")
            return run

    runs = in_turn(bench, "durable wins", {"ours": lambda: won_by(bench, servers, quota, 1), "peer": peer},
                   lambda _, candidate: candidate())
    rate = of_each(runs, "per_second")
    yield Line("durable wins a second, nginx: script, nothing durable", rate["ours"], rate["peer"], digits=0,
               at_least=Limit("ratio", ">=", 0.7, ">= 0.7 x peer"), hoped=Limit("ratio", ">=", 1, ">= 1 x"))
    yield from split([run.split for run in runs["ours"]], [run.split for run in runs["peer"]], "a win")


def gate(bench):
    """Redis' CPU per claim that reaches the gate, by the size of the batch; beside SADD alone, the least that remembering costs"""
    servers = Servers(bench.say)
    told = [program(BUILD / "bench/gate_bench", servers.redis.address) for _ in bench.rounds_of("gate")]

    def numbers(what):
        return [float(re.search(rf"^ *{what}: +([\d.]+) us", text, re.M)[1]) for text in told]

    for batch in ("32", "64"):
        for fate in ("in", "full"):
            for callers, who in ((1, "from one loop"), (4, "from four at once")):
                yield Line(f"Redis, µs of CPU a claim, batches of {batch} {who}, all {fate}",
                           numbers(rf"{callers} with batches of {batch}, {fate} *"),
                           floor=numbers(rf"{callers} with batches of {batch}, SADD") if fate == "in" else None,
                           at_least=Limit("ours", "<=", 3, "<= 3"), hoped=Limit("ours", "<=", 2, "<= 2"))
    for waiting in ("256", "4096"):
        yield Line(f"  the same through the gate, {waiting} asks at once", numbers(f"{waiting} asks at once"))


def beyond(bench):
    """Tickets in the journal beyond N: 2 apis, 100,000 users at once, N = 1,000, with the gate and without"""
    servers, users = Servers(bench.say), bench.some(100_000)

    def measure(_, with_gate):
        with Installation(bench, servers) as place:
            for _ in range(2):
                place.api(gate=with_gate)
            place.issuer()
            place.apis[0].create(1, quota)
            wait_for("both apis know the campaign", lambda: all(api.metric("firstcome_campaigns") == 1 for api in place.apis))
            before = place.end()
            _, used = place.rush(users, connections=CONNECTIONS)
            place.wait_until_written(quota)
            place.verify()
            return place.end() - before - quota, {name: its * 1e6 / users for name, its in used.items()}

    quota = users // 100
    runs = in_turn(bench, "tickets beyond N", {"with": True, "without": False}, measure)
    for name, found in runs.items():
        yield Line(f"tickets beyond {quota:,}, {users:,} users, 2 apis, {name} gate", [run[0] for run in found], digits=0)
        yield from split([run[1] for run in found], what="a user")


def latency(bench):
    """From claim to won at 2,000 wins a second, as clients see it"""
    servers, rate = Servers(bench.say), 2_000
    users, p50, p99 = bench.some(rate * 20), [], []
    for _ in bench.rounds_of("latency"):
        with Installation(bench, servers) as place:
            place.api()
            place.issuer(1_000)
            place.apis[0].create(1, users)
            told, _ = place.rush(users, rate=rate)
            if told["winners"] != users:
                raise Broken(f"{told['winners']} of {users} won")
            place.verify()
            p50.append(told["until_final_us"]["p50"] / 1000)
            p99.append(told["until_final_us"]["p99"] / 1000)
    yield Line(f"from claim to won at {rate:,} wins a second, p50, ms", p50,
               at_least=Limit("ours", "<=", 10, "<= 10 ms"), hoped=Limit("ours", "<=", 4, "<= 4 ms"))
    yield Line("  p99, ms", p99, at_least=Limit("ours", "<=", 50, "<= 50 ms"), hoped=Limit("ours", "<=", 15, "<= 15 ms"))


@contextlib.contextmanager
def filled(bench, servers, tickets):
    """An installation whose journal has a sealed campaign of so many tickets, and no process."""
    with Installation(bench, servers) as place:
        bench.say(f"filling a topic with {tickets} tickets")
        api = place.api()
        api.create(1, tickets, issue_rate=0)
        load_all([api], place.cpu, tickets, 4 * CONNECTIONS, quota=tickets)
        place.stop(place.apis)
        yield place


def coupons(bench):
    """Coupons a second into MariaDB, unlimited: a new store and 300,000 won coupons that are owed"""
    servers, quota = Servers(bench.say), bench.some(300_000)
    rates, runs = [], []
    with filled(bench, servers, quota) as place:
        for _ in bench.rounds_of("coupons"):
            place.new_store()
            before = servers.cpu()
            issuer = place.issuer()
            first, began = issuer.written(), time.monotonic()
            place.wait_until_written(quota)
            rates.append((quota - first) / (time.monotonic() - began))
            used = {"ours": issuer.cpu(), **spent(before, servers.cpu())}
            runs.append({name: its * 1e6 / quota for name, its in used.items()})
            place.verify()
            place.stop(place.issuers)
    yield Line("coupons a second into MariaDB, unlimited", rates, digits=0,
               at_least=Limit("ours", ">=", 30_000, ">= 30,000"), hoped=Limit("ours", ">=", 100_000, ">= 100,000"))
    yield from split(runs, what="a coupon, replay included")


def two(bench):
    """CPU per claim of one api, and of two that share the load: in rushes of a hundred users a place and of ten, and where all win"""
    servers, users, crowd = Servers(bench.say), bench.some(300_000), bench.some(100_000)

    def rushed(apis, users_a_place):
        with opened(bench, servers, crowd // users_a_place, apis) as place:
            _, used = place.rush(crowd, connections=CONNECTIONS)
            place.verify()
            return used["apis"] / crowd * 1e6

    def ratio(of):
        return [two / one for two, one in zip(of["two"], of["one"])]

    both = {"two": 2, "one": 1}
    for users_a_place in (100, 10):
        what = f"{users_a_place} users a place"
        # The same work of the same process takes a quarter more or less from one run to the next: many short ones.
        rushes = in_turn(bench, f"two apis against one, {what}", both, lambda _, apis: rushed(apis, users_a_place), times=4)
        yield Line(f"µs of CPU of two apis a claim, {what} (ratio: to one)", rushes["two"], ratio=ratio(rushes),
                   at_least=Limit("ratio", "<=", 1.1, "<= 1.1 x one"), hoped=Limit("ratio", "<=", 1, "<= 1 x"))
        yield Line("  of one api", rushes["one"])
    runs = in_turn(bench, "two apis against one, all win", both, lambda _, apis: won_by(bench, servers, users, apis))
    wins = {name: [run.split["apis"] for run in found] for name, found in runs.items()}  # each api reads every ticket
    rate = of_each(runs, "per_second")
    yield Line("µs of CPU of two apis a win, where all win (ratio: to one)", wins["two"], ratio=ratio(wins))
    yield Line("  of one api", wins["one"])
    yield Line("  wins a second (ratio: to one)", rate["two"], ratio=ratio(rate), digits=0)


def start(bench):
    """Seconds until an api is ready, on a topic of 1,000,000 tickets"""
    servers, seconds, cpu, broker = Servers(bench.say), [], [], []
    with filled(bench, servers, bench.million) as place:
        for _ in bench.rounds_of("start"):
            before = servers.kafka.cpu()
            api = place.api()
            seconds.append(api.seconds_until_ready)
            cpu.append(api.cpu_until_ready)
            broker.append(servers.kafka.cpu() - before)
            place.stop(place.apis)
        place.issuer()
        place.wait_until_written(bench.million)
        place.verify()
    yield Line(f"start on a topic of {bench.million:,} tickets, s", seconds,
               at_least=Limit("ours", "<=", 5, "<= 5 s"), hoped=Limit("ours", "<=", 2, "<= 2 s"))
    yield Line("  CPU s", cpu)
    yield Line("  CPU s of Kafka", broker)


def million(bench):
    """1,000,000 distinct users at once on N = 100,000, 2 apis and 2 issuers: exact"""
    servers, users = Servers(bench.say), bench.million
    quota, used, seconds, missed = users // 10, [], [], []
    for _ in bench.rounds_of("million"):
        with Installation(bench, servers) as place:
            for _ in range(2):
                place.api()
            for _ in range(2):
                place.issuer()
            place.apis[0].create(1, quota)
            wait_for("both apis know the campaign", lambda: all(api.metric("firstcome_campaigns") == 1 for api in place.apis))
            told, cpu = place.rush(users, connections=CONNECTIONS, repeat=0.1)
            place.wait_until_written(quota)
            place.verify()
            seconds.append(told["seconds"])
            missed.append(abs(told["winners"] - quota) + told["broken"] + told["users_without_final"])
            used.append({name: its * 1e6 / users for name, its in cpu.items()})
    yield Line(f"rush of {users:,} users on {quota:,}, 2 apis, 2 issuers: winners missed or too many, promises broken", missed,
               digits=0, at_least=Limit("ours", "<=", 0, "exact"))
    yield Line("  seconds", seconds, digits=1)
    yield from split(used, what="a user")


ALL = {"refused": refused, "wins": wins, "gate": gate, "beyond": beyond, "latency": latency, "coupons": coupons, "two": two,
       "start": start, "million": million}
