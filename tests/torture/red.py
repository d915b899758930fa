#!/usr/bin/env python3
"""The torture can fail: after a row was removed, or a history forged, it says so, keeps the folder and ends with 1."""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import proof

SECONDS_MAX = 240  # it takes about 8; torture.py gives up before, and says on what


def torture(folder, mistake):
    """How it ended, what it printed, and what was wrong with that; None where nothing was."""
    program = pathlib.Path(__file__).with_name("torture.py")
    command = [sys.executable, "-B", program, "--kills", "8", "--folder", folder, "--spoil", mistake, *sys.argv[1:]]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as running:
        wrong = None
        try:
            printed = running.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGINT)  # it ends its server and its crowds, and shows where it was
            printed = running.communicate()
            wrong = f"it did not end within {SECONDS_MAX} s"
    if wrong is None and running.returncode != 1:
        wrong = f"it ended with {running.returncode}, not with 1"
    elif wrong is None and f"torture: BROKEN: verify ended with {proof.PROMISE_BROKEN}" not in printed[0]:
        wrong = "it was not verify that saw it"
    elif wrong is None and not os.listdir(folder):
        wrong = "the folder is gone"
    return wrong, printed


def main():
    for mistake in proof.MISTAKES:
        with tempfile.TemporaryDirectory(prefix="firstcome-torture-red-") as folder:
            wrong, (out, err) = torture(folder, mistake)
        if wrong:
            print(f"the mistake '{mistake}': {wrong}\n--- stdout\n{out}\n--- stderr\n{err}")
            return 1
    print(f"{len(proof.MISTAKES)} mistakes, all seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
