"""deploy/ is as real as the program: each variable and flag there is one that it knows, each file that is named is there, and the
two units differ only where they must. The program says itself whether it takes the settings file, and the schema of compose files
whether it takes that one."""

import json
import os
import re
import subprocess

import common

SETTINGS = "deploy/systemd/firstcome.toml"
COMPOSE = "deploy/compose.yaml"
SCHEMA_CHECKER = common.ROOT / "build/check/schema/bin/check-jsonschema"
PROGRAM = common.ROOT / "build/release/firstcome"


def ask(*words, **environment):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                          env={**os.environ, **environment})


def commands(path):
    """(line, words) of each firstcome command in a file: of a shell, a unit, or a list of YAML or JSON."""
    for number, line in common.numbered_lines(path):
        for found in re.finditer(r"\bfirstcome[\"']?[, ]+([\"'a-z-][^#|]*)", line):
            yield number, re.findall(r"(?<![\w/.:-])(?:--)?[a-z][a-z-]*(?![\w/.:])", found[1])
        if found := re.match(r"\s*command: \[([a-z]+, .*)\]", line):
            yield number, [word for word in found[1].split(", ") if re.fullmatch("[a-z-]+", word)]


def findings():
    found = []
    verbs_known = set(re.findall(r"^ {2}([a-z]+) {2,}", ask("--help").stdout, re.M))
    names = json.loads(ask("config", "print", "--json").stdout)
    known = {"FIRSTCOME_CONFIG", "FIRSTCOME_URL", "FIRSTCOME_ADMIN_URL"} | {"FIRSTCOME_" + name.upper() for name in names}
    files = [path for path in common.files("") if path.startswith("deploy/")]
    for path in files:
        for number, line in common.numbered_lines(path):
            for variable in re.findall(r"\bFIRSTCOME_[A-Z_]+", line):
                if variable not in known:
                    found.append(f"{path}:{number}: no setting is called {variable}; see firstcome config print")
            for name in re.findall(r"\bdockerfile: +([^\s,}]+)", line):
                if not (common.ROOT / name).exists():
                    found.append(f"{path}:{number}: there is no {name}")
        for number, words in commands(path):
            flags = [word for word in words if word.startswith("--")]
            verbs = [word for word in words if not word.startswith("--")]
            if not verbs or verbs[0] not in verbs_known:
                continue  # a user, a database, a file of that name
            for depth in (2, 1):
                told = ask(*verbs[:depth], "--help")
                if told.returncode == 0:
                    break
            for flag in flags:
                if not re.search(rf"{flag}(?![\w-])", told.stdout):
                    found.append(f"{path}:{number}: firstcome {' '.join(verbs[:depth])} does not know {flag}")
    settings = ask("config", "check", "--config", SETTINGS, FIRSTCOME_JOURNAL_PASSWORD="any")  # the units name a file
    if settings.returncode != 0:
        found.append(f"{SETTINGS}:1: {settings.stderr.strip()}")
    schema = subprocess.run([SCHEMA_CHECKER, "--builtin-schema", "vendor.compose-spec", COMPOSE], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=60)
    if schema.returncode != 0:
        found.append(f"{COMPOSE}:1: {schema.stdout.strip()}{schema.stderr.strip()}")
    api, issuer = (set(common.text(f"deploy/systemd/firstcome-{name}.service").splitlines()) for name in ("api@", "issuer@"))
    for line in sorted(api ^ issuer):
        if re.match(r"(#|Description=|Environment|LoadCredential=|ExecStart=|$)", line):
            continue
        found.append(f"deploy/systemd:1: only one of the two units says {line}")
    return found, len(files)


def main():
    found, count = findings()
    common.conclude("deploy", f"{count} files", found)


main()
