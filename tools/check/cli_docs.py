"""docs/cli.md shows the -h of every command as the program prints it.

The page holds a block for each command, between the two marks below; the check compares, `--write` renews the blocks and adds
those of new commands at the end, so that the prose around them stays.

    <!-- firstcome campaign create -h -->
    ```text
    ...
    ```
    <!-- end -->
"""

import re
import subprocess
import sys

import common

PAGE = "docs/cli.md"
PROGRAM = common.ROOT / "build/release/firstcome"
BLOCK = re.compile(r"<!-- (firstcome[a-z -]*) -h -->\n```text\n(.*?)```\n<!-- end -->\n", re.S)


def help_of(words):
    run = subprocess.run([PROGRAM, *words[1:], "--help"], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    if run.returncode != 0:
        common.conclude("cli_docs", "", [f"{' '.join(words)} --help ends with {run.returncode}; it must print and end with 0"])
    printed = run.stdout.replace(str(PROGRAM), "firstcome")
    return "\n".join(line.rstrip() for line in printed.strip().splitlines()) + "\n"


def subcommands(printed):
    """The names under "Subcommands:" of what CLI11 prints."""
    inside = False
    for line in printed.splitlines():
        if re.match(r"(Subcommands|Commands|COMMANDS|SUBCOMMANDS)\b.*:?$", line):
            inside = True
        elif inside and re.match(r"\S", line):
            inside = False
        elif inside and (match := re.match(r" {1,4}([a-z][a-z-]*)\b", line)):
            yield match[1]


def all_help():
    found, wait = {}, [["firstcome"]]
    while wait:
        words = wait.pop(0)
        printed = help_of(words)
        found[" ".join(words)] = printed
        wait += [[*words, name] for name in subcommands(printed)]
    return found


def block(command, printed):
    return f"<!-- {command} -h -->\n```text\n{printed}```\n<!-- end -->\n"


def write(wanted):
    page = common.ROOT / PAGE
    old = page.read_text() if page.exists() else "# Command line\n"
    new = BLOCK.sub(lambda match: block(match[1], wanted[match[1]]) if match[1] in wanted else "", old)
    present = {match[1] for match in BLOCK.finditer(new)}
    for command, printed in wanted.items():
        if command not in present:
            new = f"{new.rstrip()}\n\n## {command}\n\n{block(command, printed)}"
    page.write_text(new)


def findings(wanted):
    page = common.ROOT / PAGE
    if not page.exists():
        return [f"{PAGE}:1: is missing; python3 tools/check/cli_docs.py --write"]
    text, present, found = page.read_text(), set(), []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        present.add(match[1])
        if match[1] not in wanted:
            found.append(f"{PAGE}:{line}: there is no command '{match[1]}'; remove the block")
        elif match[2] != wanted[match[1]]:
            found.append(f"{PAGE}:{line}: not what {match[1]} -h prints; python3 tools/check/cli_docs.py --write")
    found += [f"{PAGE}:1: '{command}' has no block; python3 tools/check/cli_docs.py --write" for command in wanted.keys() - present]
    # Flags that the other pages and the README mention must exist.
    known = set(re.findall(r"--[a-z][a-z-]*", "".join(wanted.values())))
    for path in common.files(".md"):
        for number, content in common.numbered_lines(path):
            for command in re.findall(r"(?:^|[`$ ])firstcome ([a-z][^`|#;&]*)", content):
                for flag in re.findall(r"(?<=\s)--[a-z][a-z-]*", command):
                    if flag not in known:
                        found.append(f"{path}:{number}: no command knows {flag}")
    return found


def main():
    wanted = all_help()
    if "--write" in sys.argv[1:]:
        write(wanted)
    common.conclude("cli_docs", f"{len(wanted)} commands", findings(wanted))


main()
