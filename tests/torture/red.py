#!/usr/bin/env python3
"""The torture can fail: after a row was removed, or a history forged, it says so, keeps the folder and ends with 1."""

import os
import pathlib
import subprocess
import sys
import tempfile

import proof


def main():
    torture = pathlib.Path(__file__).with_name("torture.py")
    for mistake in proof.MISTAKES:
        with tempfile.TemporaryDirectory(prefix="firstcome-torture-red-") as folder:
            command = [sys.executable, "-B", torture, "--kills", "8", "--folder", folder, "--spoil", mistake]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=100)
            print(ran.stdout)
            assert ran.returncode == 1, f"a mistake ({mistake}) ended with {ran.returncode}: {ran.stderr}"
            assert "torture: BROKEN: verify ended with 4" in ran.stdout, ran.stdout
            assert os.listdir(folder), "the folder is gone"
    print(f"{len(proof.MISTAKES)} mistakes, all seen")
    return 0


if __name__ == "__main__":
    sys.exit(main())
