"""Measures the rows of docs/performance.md and prints them as a table: run.py [distributed] [--rounds N] [--quick] [ROW...]

Exit code 1 when a row breaks its "at least". --quick measures a tenth, in two rounds: it shows that the rows run, not how fast
anything is.
"""

import argparse
import os
import pathlib
import platform
import shutil
import signal
import sys
import tempfile
import time

import distributed
import rows
from processes import CORES, ROOT, Broken, Process
from table import render

BUSY = 0.5  # load average; above, something else is measured too


def say(what):
    print(f"{time.strftime('%H:%M:%S')} {what}", file=sys.stderr, flush=True)


def arguments(words):
    """What was asked for, and the rows that there are: those of one process, or those on the real servers."""
    known_rows, name = rows.ALL, "./x bench"
    if words[:1] == ["distributed"]:
        known_rows, name, words = distributed.ALL, "./x bench distributed", words[1:]
    known = "\n".join(f"  {row:<12} {what.__doc__}" for row, what in known_rows.items())
    parser = argparse.ArgumentParser(
        prog=name, description="The rows:\n" + known, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="paired runs of each row (5)")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, twice: shows only that it runs")
    parser.add_argument("rows", nargs="*", metavar="ROW", help="which; all without one")
    given = parser.parse_args(words)
    for row in given.rows:
        if row not in known_rows:
            parser.error(f"there is no row {row!r}; the rows are {', '.join(known_rows)}")
    return given, known_rows


def measure(given, known_rows, folder):
    bench = rows.Bench(folder, 2 if given.quick else given.rounds, 0.1 if given.quick else 1, say)
    lines = []
    for name in given.rows or known_rows:
        found = list(known_rows[name](bench))
        print(render(found), end="\n\n", flush=True)
        lines += found
    return lines


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what was made at real servers is deleted then, too
    given, known_rows = arguments(sys.argv[1:])
    load_before = os.getloadavg()[0]
    if load_before > BUSY:
        say(f"the load average is {load_before:.1f}: something else runs here, and the numbers will show it")
    if len(CORES) < 2:
        say("there is one core only: server and load share it, and the ratios are not what they should be")
    began = time.monotonic()
    # On the disk of the checkout: /tmp may be memory, where a commit costs nothing.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=ROOT / "build"))
    try:
        lines = measure(given, known_rows, folder)
    except (Broken, OSError) as broken:
        print(f"./x bench: {broken}", file=sys.stderr)
        return 1
    finally:
        Process.stop_all()
        shutil.rmtree(folder, ignore_errors=True)
    if len(given.rows) != 1:
        print(render(lines))
    broken = [line.what.strip() for line in lines if line.broken]
    print(f"\n{len(lines)} lines, {len(broken)} broken{': ' + '; '.join(broken) if broken else ''}. "
          f"{(time.monotonic() - began) / 60:.1f} minutes on {len(CORES)} cores, Linux {platform.release()}, "
          f"load average before {load_before:.1f}, {time.strftime('%Y-%m-%d')}")
    return 1 if broken else 0


sys.exit(main())
