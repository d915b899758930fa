"""docs/decisions/README.md lists every decision under its title, in order, and every mention of a decision's number is of one."""

import re

import common

FOLDER = "docs/decisions"
findings = []
pages = [path for path in common.files(".md") if re.fullmatch(FOLDER + r"/\d{4}-[a-z0-9-]+\.md", path)]
numbers = [path.split("/")[-1][:4] for path in pages]
index = f"{FOLDER}/README.md"

for path in common.files(".md"):
    if path.startswith(FOLDER + "/") and path not in pages and path != index:
        findings.append(f"{path}:1: a decision is called NNNN-title-in-small-letters.md")
for expected, (number, path) in enumerate(zip(numbers, pages), start=1):
    if int(number) != expected:
        findings.append(f"{path}:1: expected number {expected:04}; numbers have no gaps and are not used twice")
        break

if not (common.ROOT / index).exists():
    findings.append(f"{index}:1: the index is missing; one line a decision: - [0001 Title](0001-title.md)")
else:
    listed = []
    for line, content in common.numbered_lines(index):
        for title, name in re.findall(r"\[([^\]]+)\]\((\d{4}-[^)]+\.md)\)", content):
            listed.append(name)
            path = f"{FOLDER}/{name}"
            if path not in pages:
                findings.append(f"{index}:{line}: {name} does not exist; remove the line or write the page")
                continue
            heading = common.text(path).splitlines()[0].lstrip("# ").strip()
            if title.strip() not in (heading, re.sub(r"^\d{4}[:.]? ", "", heading), f"{name[:4]} {heading}"):
                findings.append(f"{index}:{line}: calls {name} '{title}', but its heading is '{heading}'")
    for path in pages:
        if path.split("/")[-1] not in listed:
            findings.append(f"{index}:1: {path} is not listed; add - [Title]({path.split('/')[-1]})")
    if listed != sorted(listed):
        findings.append(f"{index}:1: the decisions are not in the order of their numbers")

for path in common.files(".h", ".cc", ".md", ".py", ".sh", ".cmake", "CMakeLists.txt"):
    if path == "tools/check/check_scripts_test.py":  # it makes such mistakes
        continue
    for line, content in common.numbered_lines(path):
        for number in re.findall(r"(?:docs/)?decisions/(\d{4})", content):
            if number not in numbers:
                findings.append(f"{path}:{line}: there is no decision {number}")

common.conclude("decisions", f"{len(pages)} pages", findings)
