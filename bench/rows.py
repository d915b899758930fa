"""The rows of `./x bench`. Each measures in rounds, the candidates one after the other in every round (A B C A B C), with
all checks on, and has `firstcome verify` look at the folder before it is thrown away."""

import contextlib
import re
import shutil
import subprocess

from nginx import Nginx
from processes import (BUILD, SERVER_CORE, Broken, Firstcome, Floor, ask, load, on_core, verify)
from table import Limit, Line

MIB = 1 << 20


class Bench:
    """Where to measure, how often and how much."""

    def __init__(self, folder, rounds, scale, say):
        self.folder, self.rounds, self.scale, self.say = folder, rounds, scale, say
        self._places = 0
        self._filled = None

    def some(self, count):
        return max(int(count * self.scale), 1000)

    def place(self):
        self._places += 1
        return self.folder / str(self._places)

    def rounds_of(self, what):
        for number in range(1, self.rounds + 1):
            self.say(f"{what}: round {number} of {self.rounds}")
            yield number

    @property
    def million(self):
        return self.some(1_000_000)

    def filled(self):
        """A folder with a sealed campaign of a million, all coupons written; made once."""
        if self._filled is None:
            self.say(f"filling a folder with {self.million} winners")
            folder = self.place()
            with Firstcome(folder, "--issue-rate-total", 0) as server:
                server.create(1, self.million, issue_rate=0)
                server.seal(1, self.million)
                server.wait_until_written()
            verify(folder / "data")
            self._filled = folder
        return self._filled


@contextlib.contextmanager
def sealed(bench, campaigns=1, quota=100):
    """A server all of whose places are taken and all of whose coupons are written, so that nothing but answers is left to do;
    verified at the end."""
    folder = bench.place()
    with Firstcome(folder, "--issue-rate-total", 0) as server:
        server.create(campaigns, quota, issue_rate=0)
        server.seal(campaigns, quota)
        server.wait_until_written()
        yield server
        server.verify()
    shutil.rmtree(folder)


class Users:
    """Numbers of users who have not asked before, for one server."""

    def __init__(self):
        self.next = 0

    def take(self, count):
        self.next += count
        return self.next - count


@contextlib.contextmanager
def three(bench):
    """Ours, nginx and the floor: the same number of bytes with the same status."""
    with sealed(bench) as ours:
        answer = ask(ours.port, "POST", "/v1/campaigns/lunch/claims")
        with Nginx(bench.place(), answer) as nginx, Floor(bench.place(), answer) as floor:
            yield {"ours": ours, "nginx": nginx, "floor": floor}


def in_turn(bench, what, candidates, measure, times=1):
    """name -> what measure(name, candidate) gave, so many times a round."""
    found = {name: [] for name in candidates}
    for _ in bench.rounds_of(what):
        for _ in range(times):
            for name, candidate in candidates.items():
                found[name].append(measure(name, candidate))
    return found


def of_each(runs, value):
    """name -> that value of each run."""
    return {name: [getattr(run, value) for run in found] for name, found in runs.items()}


def refused_lines(bench, what, requests, at_least=None, hoped=None, **options):
    users, requests = Users(), bench.some(requests)
    warm = min(requests, 20_000)
    with three(bench) as servers:
        runs = in_turn(bench, what, servers, lambda _, server: load(
            server, warm=warm, requests=requests, first_user=users.take(requests + warm), **options))
    cpu, rate = of_each(runs, "cpu_us"), of_each(runs, "per_second")
    yield Line(f"{what}, µs of CPU", cpu["ours"], cpu["nginx"], cpu["floor"], at_least=at_least, hoped=hoped)
    yield Line("  answers a second", rate["ours"], rate["nginx"], rate["floor"], digits=0)


def refused(bench):
    """CPU per refused claim: sealed, one loop, 64 kept-alive connections"""
    yield from refused_lines(bench, "refused claim", 1_000_000, Limit("ratio", "<=", 1.1, "<= 1.1 x nginx"),
                             Limit("ratio", "<=", 1.0, "<= 1.0 x"))


def pipelined(bench):
    """The same with 16 pipelined requests"""
    yield from refused_lines(bench, "refused, 16 pipelined", 1_000_000, Limit("ratio", "<=", 0.8, "<= 0.8 x nginx"),
                             Limit("ratio", "<=", 0.5, "<= 0.5 x"), depth=16)


def browser(bench):
    """The same with the 14 header fields that a browser sends, 600 bytes"""
    yield from refused_lines(bench, "refused, a browser's header", 500_000, browser=1)


def wins(bench):
    """Durable wins: 512 connections, quota 1,000,000, synchronous=FULL; beside group commit of the same rows"""
    quota = bench.million
    won = (b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 148\r\nCache-Control: no-store\r\n\r\n"
           b"{" + b" " * 146 + b"}")  # as long as ours

    def ours(quota=quota, **terms):
        folder = bench.place()
        with Firstcome(folder, "--issue-rate-total", 0) as server:
            server.create(1, quota, **terms)
            before = server.resident()
            run = load(server, quota=quota, requests=quota, connections=512)
            run.kept = (server.resident() - before) / quota
            if terms:
                server.wait_until_written()  # verify cannot copy a store that is written without a pause
            server.verify()
        shutil.rmtree(folder)
        return run

    def floor():
        folder = bench.place()
        with Floor(folder, won, win=True) as server:
            run = load(server, status=201, requests=quota, connections=512)
        shutil.rmtree(folder)
        return run

    runs = in_turn(bench, "durable wins", {"ours": ours, "floor": floor, "at once": lambda: ours(quota // 5, issue_rate=0)},
                   lambda _, candidate: candidate())
    rate, cpu = of_each(runs, "per_second"), of_each(runs, "cpu_us")
    yield Line("durable wins a second", rate["ours"], None, rate["floor"], digits=0,
               at_least=Limit("ratio", ">=", 0.6, ">= 0.6 x floor"), hoped=Limit("ratio", ">=", 0.75, ">= 0.75 x"))
    yield Line("  µs of CPU a win", cpu["ours"], None, cpu["floor"])
    yield Line("  a second, issue_rate unlimited", rate["at once"], None, rate["floor"], digits=0)
    yield Line("  bytes of the process a winner", [run.kept for run in runs["ours"]], digits=0,
               at_least=Limit("ours", "<=", 200, "<= 200"), hoped=Limit("ours", "<=", 100, "<= 100"))


def program(*words):
    """What a measuring program of bench/ prints, on the server's core."""
    run = subprocess.run([str(word) for word in words], capture_output=True, text=True, preexec_fn=on_core(SERVER_CORE))
    if run.returncode != 0:
        raise Broken(f"{words[0]} failed: {run.stdout}{run.stderr}")
    return run.stdout


def append(bench):
    """journal.append alone in batches of 512, beside a bare SQLite loop with the same rows, one core"""
    bench.say(f"journal.append: {bench.rounds} pairs")
    folder = bench.place()
    folder.mkdir()
    told = program(BUILD / "bench/journal_bench", bench.million, folder, bench.rounds)
    shutil.rmtree(folder)

    def numbers(name, unit):
        return [float(number) for number in re.findall(rf"^{name} .*?([\d.]+) {unit}", told, re.M)]

    yield Line("journal.append, rows a second", numbers("append", "rows/s")[: bench.rounds], None, numbers("bare SQLite", "rows/s"), digits=0,
               at_least=Limit("ratio", ">=", 0.5, ">= 0.5 x floor"), hoped=Limit("ratio", ">=", 0.8, ">= 0.8 x"))


def latency(bench):
    """p99 of a refused claim in an open loop at half of nginx's peak"""
    users = Users()
    with three(bench) as servers:
        bench.say("latency: nginx's peak")
        peak = load(servers["nginx"], warm=20_000, requests=bench.some(500_000)).per_second
        rate = int(peak / 2)
        requests = bench.some(rate * 6)
        runs = in_turn(bench, f"latency at {rate} claims a second", servers, lambda _, server: load(
            server, warm=5_000, requests=requests, rate=rate, first_user=users.take(requests + 5_000)))
    p99, p50 = of_each(runs, "p99_us"), of_each(runs, "p50_us")
    yield Line(f"p99 at {rate:,} claims a second, µs", p99["ours"], p99["nginx"], p99["floor"], digits=0,
               at_least=Limit("ratio", "<=", 2, "<= 2 x nginx"), hoped=Limit("ratio", "<=", 1, "<= 1 x"))
    yield Line("  p50", p50["ours"], p50["nginx"], p50["floor"], digits=0)


def growth(bench):
    """Memory kept of losers: RSS after 6,000,000 refused claims of different users, minus after 1,000,000"""
    grown, users = [], Users()
    with sealed(bench) as server:
        bench.say("growth: 6,000,000 refused claims")
        load(server, depth=16, requests=bench.million, first_user=users.take(bench.million))
        before = server.resident()
        for _ in range(5):
            load(server, depth=16, requests=bench.million, first_user=users.take(bench.million))
            grown.append((server.resident() - before) / MIB)
    yield Line("RSS after 6 M refused users, minus after 1 M, MiB", grown[-1:],
               at_least=Limit("ours", "<=", 1, "<= 1 MiB"), hoped=Limit("ours", "<=", 0, "0"))


def fold(bench):
    """The fold, chain included, and what the standings keep of a winner"""
    told = [program(BUILD / "bench/fold_bench", bench.million, bench.million) for _ in bench.rounds_of("fold")]
    values = [re.search(r"^won .*?([\d.]+) M per CPU second.*?([\d.]+) bytes", text, re.M) for text in told]
    yield Line("fold, million entries a CPU second", [float(value[1]) for value in values],
               at_least=Limit("ours", ">=", 2, ">= 2"), hoped=Limit("ours", ">=", 4, ">= 4"))
    yield Line("standings, bytes a winner", [float(value[2]) for value in values], digits=0,
               at_least=Limit("ours", "<=", 200, "<= 200"), hoped=Limit("ours", "<=", 100, "<= 100"))


def start(bench):
    """CPU seconds until ready, on a journal of 1,000,000 tickets"""
    folder, spent = bench.filled(), []
    for _ in bench.rounds_of("start"):
        with Firstcome(folder) as server:
            spent.append(server.cpu_until_ready)
    verify(folder / "data")
    yield Line("start on 1 M tickets, CPU s", spent, at_least=Limit("ours", "<=", 3, "<= 3"), hoped=Limit("ours", "<=", 1, "<= 1"))


def verification(bench):
    """CPU seconds of firstcome verify on 1,000,000 coupons"""
    folder = bench.filled()
    spent = [verify(folder / "data") for _ in bench.rounds_of("verify")]
    yield Line("verify of 1 M coupons, CPU s", spent, at_least=Limit("ours", "<=", 15, "<= 15"), hoped=Limit("ours", "<=", 5, "<= 5"))


def neighbours(what, settings, runs):
    """One line a setting; the ratio is to the setting before."""
    cpu = {setting: [run.cpu_us for run in runs[setting]] for setting in settings}
    for before, setting in zip([None, *settings], settings):
        ratio = [now / then for now, then in zip(cpu[setting], cpu[before])] if before else None
        yield Line(f"refused, {setting:,} {what}, µs of CPU", cpu[setting], ratio=ratio,
                   at_least=Limit("ratio", "<=", 1.5, "<= 1.5 x above") if before else None)


def flat(bench, what, settings, servers, connections):
    users, requests = Users(), bench.some(300_000)
    runs = in_turn(bench, f"refused by {what}", {setting: setting for setting in settings}, lambda _, setting: load(
        servers[setting], connections=connections(setting), warm=20_000, requests=requests,
        first_user=users.take(requests + 20_000), campaigns=setting if what == "campaigns" else 1))
    yield from neighbours(what, settings, runs)


def campaigns(bench):
    """Cost per refused claim with 1, 100 and 10,000 campaigns"""
    settings = (1, 100, 10_000)
    with contextlib.ExitStack() as stack:
        bench.say("campaigns: making 10,000")
        servers = {count: stack.enter_context(sealed(bench, count, 1)) for count in settings}
        yield from flat(bench, "campaigns", settings, servers, lambda _: 64)


def places(bench):
    """Cost per refused claim with quotas of 100, 10,000 and 1,000,000"""
    settings = (100, 10_000, bench.million)
    with contextlib.ExitStack() as stack:
        servers = {quota: stack.enter_context(sealed(bench, 1, quota)) for quota in settings[:2]}
        servers[settings[2]] = stack.enter_context(Firstcome(bench.filled()))
        yield from flat(bench, "places", settings, servers, lambda _: 64)
        servers[settings[2]].verify()


def connections(bench):
    """Cost per refused claim with 64, 1,000 and 10,000 connections"""
    settings = (64, 1_000, 10_000)
    with sealed(bench) as server:
        yield from flat(bench, "connections", settings, dict.fromkeys(settings, server), lambda count: count)


ALL = {"refused": refused, "pipelined": pipelined, "browser": browser, "wins": wins, "append": append, "latency": latency, "growth": growth,
       "fold": fold, "start": start, "verify": verification, "campaigns": campaigns, "places": places,
       "connections": connections}
