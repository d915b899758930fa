#!/usr/bin/env python3
"""The fault matrix: two apis and two issuers on real servers, a rush of distinct users with repeats, and one fault
while it runs. When it has healed everybody must get a final answer, every coupon be written, and `firstcome verify` be
exact over journal, store, histories and all processes; and the fault must have been felt, or the run shows nothing.

FIRSTCOME names the program, TOXIPROXY the toxiproxy server, KAFKA_OPERATOR, CLOCK_AHEAD and CUT_OFF
what CMake builds under these names.
"""

import argparse
import collections
import os
import random
import shutil
import sys
import tempfile
import time
import traceback

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "torture"))  # its proof serves here too
# pylint: disable=wrong-import-position
import basic_cells
import broker_cells
import control
import gate_cells
import store_cells
import world_cells
from process import Broken
from scene import Scene
from servers import BASE, BROKERS, LINKS, ROOT, USER, Servers

CELLS = {**control.CELLS, **basic_cells.CELLS, **gate_cells.CELLS, **store_cells.CELLS, **broker_cells.CELLS,
         **world_cells.CELLS}
PREPARE = {**basic_cells.PREPARE, **gate_cells.PREPARE, **store_cells.PREPARE, **world_cells.PREPARE}
FAULT_AFTER_S = 1.2  # of the rush
FELT_S_MAX = 8


def needed(name):
    """The servers of a cell."""
    brokers = BROKERS if name in broker_cells.OF_THREE else ["kafka"]
    redis = ["redis-primary", "redis-replica", "redis-sentinel"] if name in gate_cells.PREPARE else ["redis"]
    return brokers, redis


def felt_by_now(felt):
    """A call that hangs is counted when its time is over, which may be after the rush."""
    until = time.monotonic() + FELT_S_MAX
    while not (count := felt()):
        if time.monotonic() >= until:
            raise Broken("the fault was not felt, so this run shows nothing")
        time.sleep(0.1)
    return count


def run_cell(program, servers, folder, name, fault):
    """How much was felt. `fault` happens in the rush, heals, and returns how to count that."""
    brokers, redis = needed(name)
    servers.heal()  # first: a broker that is cut off does not come up
    servers.up(*redis, "mariadb", *brokers)
    scene = Scene(program, servers, folder, brokers)
    try:
        PREPARE.get(name, lambda _: None)(scene)
        scene.begin()
        scene.start_rush()
        time.sleep(FAULT_AFTER_S)
        felt = scene.strike(fault)
        servers.heal()
        servers.up(*redis, "mariadb", *brokers)  # one that ended of its fault
        if name not in broker_cells.ENDS_ITSELF:
            scene.finish()
        return felt_by_now(felt)
    finally:
        scene.close()


def run_tries(program, servers, folder, name):
    times = control.TRIES if name in control.CELLS else 1
    for time_ in range(1, times + 1):
        try:
            return run_cell(program, servers, f"{folder}/{time_}", name, CELLS[name])
        except Broken as error:
            if time_ == times:
                raise
            print(f"{name:32} again   {error}", flush=True)


def parse():
    parser = argparse.ArgumentParser(prog="./x fault", description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=1, help="run every cell so often (1)")
    parser.add_argument("--some", type=int, metavar="N", help="N cells drawn by the seed, and the one without a fault")
    parser.add_argument("--cell", action="append", help="this one only; may be given several times")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32), help="of the draw")
    parser.add_argument("--keep", action="store_true", help="keep the folders, with what the processes said")
    parser.add_argument("--list", action="store_true", help="print the cells")
    options = parser.parse_args()
    for name in options.cell or []:
        if name not in CELLS:
            parser.error(f"there is no cell '{name}': --list prints them")
    return options


def main():
    options = parse()
    if options.list:
        print("\n".join(CELLS))
        return 0
    program, proxy = os.environ["FIRSTCOME"], os.environ["TOXIPROXY"]
    names = options.cell or list(CELLS)
    if options.some:
        drawn = random.Random(options.seed).sample([name for name in CELLS if name not in control.CELLS], options.some)
        names = [*control.CELLS, *drawn]
    # Cells that need other servers come together: starting three brokers takes its time.
    order = sorted(names, key=lambda name: needed(name)[0] != ["kafka"]) * options.runs
    folder = tempfile.mkdtemp(prefix="firstcome-fault-")
    servers = Servers(f"{ROOT}/build/servers-fault")
    broken, felt = collections.Counter(), collections.Counter()
    try:
        servers.start_proxy(proxy)
        add_links(servers)
        servers.up("redis", "mariadb", "kafka")
        servers.sql(f"create user if not exists {USER}; revoke all, grant option from {USER}; "
                    f"grant select, insert, update, delete, create, alter, drop, index, references on *.* to {USER}")
        for number, name in enumerate(order):
            began = time.monotonic()
            try:
                count = run_tries(program, servers, f"{folder}/{number}", name)
                felt[name] += count
                print(f"{name:32} exact   felt {count:>7.0f}   {time.monotonic() - began:5.1f} s", flush=True)
                if not options.keep:
                    shutil.rmtree(f"{folder}/{number}")
            except Exception as error:  # pylint: disable=broad-except: the other cells are run all the same
                broken[name] += 1
                print(f"{name:32} BROKEN  {error if isinstance(error, Broken) else traceback.format_exc()}", flush=True)
    finally:
        servers.down()
    print(f"fault: {len(set(order))} cells, {len(order)} runs, {sum(broken.values())} broken (seed {options.seed})")
    if broken or options.keep:
        print(f"what the processes said is in {folder}")
        return 1 if broken else 0
    shutil.rmtree(folder)
    return 0


def add_links(servers):
    for link in range(1, LINKS + 1):
        for broker in ("kafka", *BROKERS):
            port = servers.port(broker) + 10 * link
            servers.add_link(f"{broker}-{link}", port + 600, port + 500)
        servers.add_link(f"redis-{link}", BASE + 800 + link, servers.port("redis"))
        servers.add_link(f"mariadb-{link}", BASE + 810 + link, servers.port("mariadb"))
        if link <= 2:
            servers.add_link(f"users-{link}", BASE + 820 + link, BASE + 830 + link)


if __name__ == "__main__":
    sys.exit(main())
