"""firstcome on the real servers: a topic, a database and a prefix of its own, and any number of processes on them."""

import contextlib
import json
import os
import re
import subprocess
import time

from processes import CORES, FIRSTCOME, USERS_LISTENER, Broken, Firstcome, Load, Run, verify_at, wait_for


class Role(Firstcome):
    """`firstcome serve --role api` or `issuer`; on every core, if it is not told otherwise."""

    def __init__(self, servers, log, options, cores=CORES):
        self.servers = servers
        self.server_ports = [server.port for server in servers.all()]
        self.serve(log, options, cores)

    def written(self):
        return int(self.metric("firstcome_coupons_written_total"))

    def packets(self):
        """Packets with data that its open connections have sent to the real servers so far."""
        told = subprocess.run(["ss", "-tinpH", "state", "established"], capture_output=True, text=True, check=True).stdout
        sent = re.findall(rf"\S+:(\d+)\s+users:\S*,pid={self.pid},\S*\s*\n.*?data_segs_out:(\d+)", told)
        return sum(int(packets) for port, packets in sent if int(port) in self.server_ports)

    def traffic_a_second(self, meanwhile):
        """While `meanwhile` runs: packets a second to the real servers, and CPU seconds a second of each of these; and what
        `meanwhile` returned."""
        sent, cpu, began = self.packets(), self.servers.cpu(), time.monotonic()
        result = meanwhile()
        seconds = time.monotonic() - began
        used = spent(cpu, self.servers.cpu())
        return (self.packets() - sent) / seconds, {name: its / seconds for name, its in used.items()}, result


class Installation:
    """Leaving it ends its processes and deletes what it made at the servers."""

    made = 0

    def __init__(self, bench, servers):
        Installation.made += 1
        self.bench, self.servers = bench, servers
        self.folder = bench.place()
        self.folder.mkdir()
        name = f"firstcome-bench-{os.getpid()}-{Installation.made}"
        self.topic, self.prefix, self.database = name, name, name.replace("-", "_")
        self.journal = f"kafka://{servers.kafka.address}/{self.topic}"
        self.store = f"mysql://root@{servers.mariadb.address}/{self.database}"
        self.apis, self.issuers, self.histories = [], [], []
        self.undo = contextlib.ExitStack()

    def __enter__(self):
        try:
            self.undo.callback(self.servers.kafka.delete, self.topic)
            run("topic", "create", "--journal", self.journal)
            self.undo.callback(self.servers.mariadb.ask, f"drop database if exists {self.database}")
            self.new_store()
            self.undo.callback(self.servers.redis.ask, "UNLINK", *(f"{self.prefix}:{{lunch}}:{part}" for part in ("meta", "users")))
            self.processes = self.undo.enter_context(contextlib.ExitStack())
        except BaseException:
            self.undo.close()
            raise
        return self

    def __exit__(self, *raised):
        return self.undo.__exit__(*raised)

    def new_store(self):
        self.servers.mariadb.ask(f"drop database if exists {self.database}; create database {self.database}")
        run("store", "migrate", "--store", self.store)

    def api(self, *options, gate=True, **where):
        gates = ["--gate", f"redis://{self.servers.redis.address}", "--gate-prefix", self.prefix] if gate else ["--gate", "none"]
        log = self.folder / f"api-{len(self.apis)}.log"
        api = Role(self.servers, log, ["--role", "api", "--journal", self.journal, *gates, *USERS_LISTENER, *options], **where)
        self.apis.append(self.processes.enter_context(api))
        return api

    def issuer(self, rate=0, **where):
        log = self.folder / f"issuer-{len(self.issuers)}.log"
        issuer = Role(self.servers, log, ["--role", "issuer", "--journal", self.journal, "--store", self.store, "--issue-rate", rate,
                            "--issue-rate-total", rate], **where)
        self.issuers.append(self.processes.enter_context(issuer))
        return issuer

    def stop(self, roles):
        for role in roles:
            if role.stop() != 0:
                raise Broken(f"a process ended badly: {role.said()[-2000:]}")
        roles.clear()

    def wait_until_written(self, coupons):
        wait_for("all coupons are in the store", lambda: sum(issuer.written() for issuer in self.issuers) >= coupons, 900)

    def end(self):
        return self.servers.kafka.end(self.topic)

    def cpu(self):
        """Of ours and of each server."""
        return {"ours": sum(role.cpu() for role in self.apis + self.issuers), "apis": sum(api.cpu() for api in self.apis),
                **self.servers.cpu()}

    def verify(self):
        """Every promise: the journal, the store, what each process shows and what every client was told."""
        words = [word for role in (*self.apis, *self.issuers) for word in ("--process", f"http://127.0.0.1:{role.admin_port}")]
        words += [word for history in self.histories for word in ("--history", history)]
        return verify_at("--journal", self.journal, "--store", self.store, *words)

    def rush(self, users, **options):
        """Distinct users at all apis; what they were told, and the CPU that it took."""
        history = self.folder / f"history-{len(self.histories)}"
        words = [word for api in self.apis for word in ("--url", f"http://127.0.0.1:{api.port}")]
        words += [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        before = self.cpu()
        told = json.loads(run("rush", "lunch", "--users", users, "--history", history, "--json", *words))
        self.histories.append(history)
        return told, spent(before, self.cpu())


def run(*words):
    """A command of firstcome; what it prints."""
    done = subprocess.run([str(word) for word in (FIRSTCOME, *words)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Broken(f"firstcome {words[0]} {words[1]} failed with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def spent(before, after):
    return {name: after[name] - before[name] for name in before}


class Wins(Run):
    """Several loads at once. `split`: microseconds of CPU a claim, by who used them."""

    def __init__(self, told, cpu):
        both = {"answers": sum(one["answers"] for one in told), "seconds": max(one["seconds"] for one in told),
                "asked_again": sum(one["asked_again"] for one in told), "p50_us": 0, "p99_us": 0}
        super().__init__(both, cpu["ours"])
        self.split = {name: seconds / self.answers * 1e6 for name, seconds in cpu.items()}


def load_all(servers, cpu, requests, connections, **options):
    """A load for each of `servers`, at once; it sleeps when it has nothing to do, and anybody may have any core, since the
    real servers have no core of their own."""
    each = requests // len(servers)
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(Load(server.port, CORES, False, requests=each, connections=connections // len(servers),
                                          first_user=i * each, **options)) for i, server in enumerate(servers)]
        for one in loads:
            one.wait_until_warm()
        before = cpu()
        for one in loads:
            one.go()
        told = [one.result() for one in loads]
        used = spent(before, cpu())
        for one in loads:
            one.end()
    return Wins(told, used)
