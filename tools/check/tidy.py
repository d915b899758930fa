"""clang-tidy over every translation unit of build/release, with the rules of .clang-tidy.

A unit costs seconds, so one that passed is not looked at again until it, a header of ours that it includes, its compile
command or the rules have changed; build/check/tidy.json remembers what passed.
"""

import concurrent.futures
import functools
import hashlib
import json
import os
import re
import shlex
import subprocess

import common

RECORD = common.ROOT / "build/check/tidy.json"
DATABASES = ("build/release", "build/asan")  # the fuzz targets are in the second one only


@functools.cache
def included(path):
    """The project's files that a file includes, itself first, however deep."""
    found, wait = {}, [path]
    while wait:
        one = wait.pop()
        if one in found or not (common.ROOT / one).is_file():
            continue
        found[one] = True
        for _, kind, name in common.includes(one):
            if kind == '"':
                wait += [f"src/{name}", os.path.normpath(os.path.join(os.path.dirname(one), name)), name]
    return sorted(found)


def fingerprint(path, options):
    digest = hashlib.sha256((common.text(".clang-tidy") + " ".join(options)).encode())
    for one in included(path):
        digest.update(one.encode() + b"\0" + (common.ROOT / one).read_bytes())
    return digest.hexdigest()


def without_precompiled(command):
    """The options of the compiler. With a precompiled header clang-tidy takes minutes for a unit, and sees what is not included."""
    words = shlex.split(command)
    kept = []
    for word in words[1:words.index("-o")]:
        if word.endswith((".pch", "cmake_pch.hxx")):
            del kept[-3:]  # -Xclang -include-pch -Xclang, or -include
        elif word != "-Winvalid-pch":
            kept.append(word)
    return kept


def units():
    """path -> options"""
    found = {}
    for folder in DATABASES:
        database = common.ROOT / folder / "compile_commands.json"
        for entry in json.loads(database.read_text()) if database.exists() else []:
            path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), common.ROOT)
            if path.split("/")[0] in common.CODE_FOLDERS:
                found.setdefault(path, without_precompiled(entry["command"]))
    return found


def tidy(path, options):
    run = subprocess.run(["clang-tidy-19", "--quiet", path, "--", *options], cwd=common.ROOT, capture_output=True, text=True)
    lines = re.findall(r"^.*?: (?:error|warning): .*$", run.stdout + run.stderr, re.M)
    found = [line.replace(f"{common.ROOT}/", "") for line in lines]
    if run.returncode != 0 and not found:
        found = [f"{path}:1: clang-tidy failed: {(run.stderr or run.stdout).strip()[-400:]}"]
    return found


def main():
    passed = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wanted = {path: (options, fingerprint(path, options)) for path, options in units().items()}
    todo = [path for path, (_, mark) in wanted.items() if passed.get(path) != mark]
    findings = []
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs = {pool.submit(tidy, path, wanted[path][0]): path for path in todo}
        for job in concurrent.futures.as_completed(jobs):
            path = jobs[job]
            findings += job.result()
            passed[path] = "" if job.result() else wanted[path][1]
            RECORD.write_text(json.dumps({one: mark for one, mark in passed.items() if one in wanted and mark}, indent=1))
    findings = sorted(set(findings))  # a header's finding comes with every unit that includes it
    common.conclude("tidy", f"{len(wanted)} units, {len(todo)} looked at anew", findings)


main()
