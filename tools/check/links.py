"""Relative links of the pages lead to files and headings that exist, and so do paths of the project written as code."""

import os
import re

import common

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
# `src/desk/desk.h` or `tools/packages.txt` in a sentence: must exist, unless it is a pattern.
PATH = re.compile(r"`((?:src|sim|bench|fuzz|tests|tools|docs|cmake|deploy|web|\.ci)/[A-Za-z0-9_./-]*)`")


def prose(path):
    """(line number, line) outside of fenced code."""
    fence = None
    for number, line in common.numbered_lines(path):
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and fence is None:
            fence = mark[1][:3]
        elif mark and mark[1].startswith(fence):
            fence = None
        elif fence is None:
            yield number, line


def anchors(path):
    """The anchors that GitHub makes from the headings."""
    seen, found = {}, set()
    for _, line in prose(path):
        if heading := re.match(r"#{1,6}\s+(.*?)\s*#*$", line):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "").replace("*", "")
            slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            found.add(f"{slug}-{count}" if count else slug)
        found.update(re.findall(r'<a (?:id|name)="([^"]+)"', line))
    return found


def check(path):
    for number, line in prose(path):
        for first, second in LINK.findall(re.sub(r"`[^`]*`", "", line)):
            target = first or second
            if re.match(r"[a-z]+:", target):
                continue
            place, _, anchor = target.partition("#")
            file = os.path.normpath(os.path.join(os.path.dirname(path), place)) if place else path
            if not (common.ROOT / file).exists():
                yield f"{path}:{number}: {target} leads to no file"
            elif anchor and file.endswith(".md") and anchor not in anchors(file):
                yield f"{path}:{number}: {target}: {file} has no such heading"
        for named in PATH.findall(line):
            if "NNNN" not in named and not (common.ROOT / named).exists():
                yield f"{path}:{number}: `{named}` does not exist"


pages = common.files(".md")
common.conclude("links", f"{len(pages)} pages", [finding for path in pages for finding in check(path)])
