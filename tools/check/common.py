"""What the checks share: the files of the project, and how a finding is told."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CODE_FOLDERS = ("src", "sim", "bench", "fuzz", "tests")


def files(*suffixes):
    """The files of the checkout that git knows or would add, by their path from the root, with one of these suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    return sorted(path for path in set(listed) if path.endswith(suffixes) and (ROOT / path).is_file())


def code_files(*suffixes):
    return [path for path in files(*(suffixes or (".h", ".cc"))) if path.split("/")[0] in CODE_FOLDERS]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def conclude(check, fine, findings):
    """Prints one line, or each finding (place and mend) and how many there are; ends the process."""
    for finding in findings:
        print(finding)
    if findings:
        print(f"{check}: {len(findings)} to mend")
        sys.exit(1)
    print(f"{check}: ok, {fine}")
    sys.exit(0)


def numbered_lines(path):
    return enumerate(text(path).splitlines(), start=1)


INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(path):
    """(line, "<" or '"', name) of each #include."""
    for number, line in numbered_lines(path):
        if match := INCLUDE.match(line):
            yield number, match[1], match[2]
