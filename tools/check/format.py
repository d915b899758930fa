"""Every C++ file is as clang-format leaves it."""

import re
import subprocess

import common

paths = common.code_files()
run = subprocess.run(
    ["clang-format-19", "--dry-run", "-Werror", "--ferror-limit=1", *paths], cwd=common.ROOT, capture_output=True, text=True
) if paths else None
findings = []
if run and run.returncode != 0:
    first = {}
    for path, line in re.findall(r"^([^\s:]+):(\d+):\d+: error:", run.stderr, re.M):
        first.setdefault(path, line)
    findings = [f"{path}:{line}: not formatted; clang-format-19 -i {path}" for path, line in first.items()]
    findings = findings or [run.stderr.strip()]
common.conclude("format", f"{len(paths)} files", findings)
