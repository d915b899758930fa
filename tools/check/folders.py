"""Stages depend downwards only, and a vendor's header stays in the files that were chosen for it.

Read from the CMakeLists.txt files: the order of the folders (src/CMakeLists.txt), each target's SOURCES and DEPENDS. A file
may include its own folder and the folders of its target's DEPENDS; nothing lower in the order may be named there.
tools/check/vendors.txt says which files may include which vendor.
"""

import fnmatch
import os
import re

import common

VENDORS = "tools/check/vendors.txt"
TESTS = re.compile(r"_test\.(cc|h)$")


class Target:
    def __init__(self, name, kind, path, line, parts):
        self.name, self.kind, self.path, self.line = name, kind, path, line
        self.folder = path.rsplit("/", 1)[0]
        self.sources = [os.path.normpath(f"{self.folder}/{source}") for source in parts.get("SOURCES", [])]
        self.depends = parts.get("DEPENDS", [])


def targets():
    found = {}
    for path in common.files("CMakeLists.txt"):
        content = re.sub(r"#.*", lambda match: " " * len(match[0]), common.text(path)) if "/" in path else ""
        for name, value in re.findall(r"\bset\((\w+) ([^)]*)\)", content):
            content = content.replace(f"${{{name}}}", value)
        for match in re.finditer(r"firstcome_(library|port|program|test)\(([^)]*)\)", content):
            words = match[2].split()
            parts, key = {}, None
            for word in words[1:]:
                if re.fullmatch(r"[A-Z_]+", word):
                    key = word
                    parts.setdefault(key, [])
                elif key:
                    parts[key].append(word)
            line = content.count("\n", 0, match.start()) + 1
            found[words[0]] = Target(words[0], match[1], path, line, parts)
    return found


def folder_of(target, known):
    return known[target].folder.removeprefix("src/") if target in known else None


def closure(target, known):
    seen, wait = set(), [target.name]
    while wait:
        name = wait.pop()
        if name in known and name not in seen:
            seen.add(name)
            wait += known[name].depends
    return seen


def order_findings(known, order):
    for target in known.values():
        if target.kind == "test" or not target.folder.startswith("src/"):
            continue
        own = target.folder.removeprefix("src/")
        if own not in order:
            yield f"{target.path}:1: the folder {own} is not in the order of src/CMakeLists.txt; put it where it belongs"
            continue
        for depend in target.depends:
            other = folder_of(depend, known)
            if other is None:
                yield f"{target.path}:{target.line}: {target.name} DEPENDS on {depend}, which is no target of ours"
            elif other != own and (other not in order or order.index(other) > order.index(own)):
                yield (f"{target.path}:{target.line}: {target.name} DEPENDS on {depend}, but {other} comes after {own} in "
                       "src/CMakeLists.txt; stages depend downwards only")


def include_findings(known, order):
    owners = {}
    for target in known.values():
        for source in target.sources:
            owners.setdefault(source, []).append(target)
    for path in common.code_files():
        folder = path.rsplit("/", 1)[0]
        # A header belongs to the target of the .cc of its name, else to all targets of its folder.
        own = owners.get(path) or owners.get(re.sub(r"\.h$", ".cc", path)) or [
            target for target in known.values() if target.folder == folder and target.kind != "test"]
        outside = not path.startswith("src/") or bool(TESTS.search(path)) or any(target.kind == "test" for target in own)
        reach = set()
        for target in own:
            names = closure(target, known) if outside else {target.name, *target.depends}
            reach |= {known[name].folder for name in names if name in known}
            if target.kind == "test":  # it may compile a file of another folder itself
                reach |= {os.path.dirname(source) for source in target.sources}
        for line, kind, name in common.includes(path):
            if kind != '"':
                continue
            if (common.ROOT / "src" / name).is_file():
                other = f"src/{name}".rsplit("/", 1)[0]
                if own and other != folder and other not in reach:
                    names = " or ".join(target.name for target in own)
                    yield (f"{path}:{line}: includes {name}, but {names} does not list {other.removeprefix('src/')} in "
                           f"DEPENDS ({own[0].path}); list it, or do without")
                elif not own and path.startswith("src/") and other != folder and folder != "src":
                    yield f"{path}:{line}: belongs to no target; name it in the SOURCES of {folder}/CMakeLists.txt"
            elif not any((common.ROOT / place / name).is_file() for place in ("", folder, *reach)):
                yield f'{path}:{line}: includes "{name}", which does not exist; ours are named from src/, vendors go in <>'
            elif path.startswith("src/"):
                yield f'{path}:{line}: includes "{name}" by a path that does not start at src/'


def vendor_findings():
    """Each line of vendors.txt: PATTERN of the header, then the files that may include it."""
    rules, used = [], set()
    for line, content in common.numbered_lines(VENDORS):
        words = content.split("#")[0].split()
        if words:
            rules.append((line, re.compile(words[0]), words[1:]))
    for path in common.code_files():
        for line, kind, name in common.includes(path):
            if kind != "<":
                continue
            for number, pattern, allowed in rules:
                if not pattern.match(name):
                    continue
                match = [one for one in allowed if fnmatch.fnmatch(path, one) or (one.endswith("/") and path.startswith(one))]
                used.update((number, one) for one in match)
                if not match:
                    yield (f"{path}:{line}: includes <{name}>, which is for {' '.join(allowed)} only; go through those, or "
                           f"say in {VENDORS}:{number} why not")
                break
    for number, _, allowed in rules:
        for one in allowed:
            if (number, one) not in used:
                yield f"{VENDORS}:{number}: {one} does not include it; remove it from the line"


def main():
    known = targets()
    match = re.search(r"set\(folders ([^)]*)\)", common.text("src/CMakeLists.txt"))
    order = match[1].split()
    findings = [*order_findings(known, order), *include_findings(known, order), *vendor_findings()]
    common.conclude("folders", f"{len(known)} targets, {len(common.code_files())} files", findings)


main()
