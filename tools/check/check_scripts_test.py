"""Proves that each check sees the mistake that it is there for: a small checkout that is fine, then one mistake at a time."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent

FINE = {
    "src/CMakeLists.txt": "set(folders base model desk)\n",
    "src/base/CMakeLists.txt": "firstcome_library(base SOURCES log.cc)\n",
    "src/base/log.h": "#pragma once\n",
    "src/base/log.cc": '#include "base/log.h"\n\n#include <spdlog/spdlog.h>\n',
    "src/model/CMakeLists.txt": "firstcome_library(model SOURCES claim.cc DEPENDS base)\n",
    "src/model/claim.h": "#pragma once\n",
    "src/model/claim.cc": '#include "model/claim.h"\n\n#include "base/log.h"\n',
    "src/desk/CMakeLists.txt": "firstcome_library(desk SOURCES desk.cc DEPENDS base model)\n",
    "src/desk/desk.cc": '#include "model/claim.h"\n',
    "tools/check/vendors.txt": "^spdlog/ src/base/log.cc\n",
    "README.md": "# firstcome\n\n[Why](docs/decisions/0001-one-truth.md#context), [below](#the-line), `src/base/log.h`\n\n## The line\n",
    "docs/decisions/README.md": "- [One truth](0001-one-truth.md)\n- [SQLite](0002-sqlite.md)\n",
    "docs/decisions/0001-one-truth.md": "# One truth\n\n## Context\n",
    "docs/decisions/0002-sqlite.md": "# SQLite\n",
    ".clang-format": (HERE.parent.parent / ".clang-format").read_text(),
}


class FrontDoor(unittest.TestCase):
    def test_every_command_has_help(self):
        for arguments in (["-h"], ["servers", "-h"], ["sim", "--help"]):
            ran = subprocess.run([HERE.parent.parent / "x", *arguments], capture_output=True, text=True)
            self.assertEqual((ran.returncode, ran.stderr), (0, ""), arguments)
            self.assertIn("servers up|down|status", ran.stdout)


class Checks(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="firstcome-checks-")))
        subprocess.run(["git", "init", "-q", self.root], check=True)
        shutil.copytree(HERE, self.root / "tools/check", ignore=shutil.ignore_patterns("__pycache__"))
        for path, content in FINE.items():
            self.put(path, content)

    def put(self, path, content):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(content)

    def run_check(self, check):
        run = subprocess.run([sys.executable, "-B", self.root / f"tools/check/{check}.py"], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def assert_finds(self, check, place, *words):
        code, printed = self.run_check(check)
        self.assertEqual(code, 1, printed)
        for word in (place, *words):
            self.assertIn(word, printed)

    def test_fine(self):
        for check in ("format", "folders", "links", "decisions"):
            code, printed = self.run_check(check)
            self.assertEqual(code, 0, printed)
            self.assertIn(f"{check}: ok", printed)

    def test_format(self):
        self.put("src/desk/desk.cc", "int  main( ){}\n")
        self.assert_finds("format", "src/desk/desk.cc:1", "clang-format-19 -i")

    def test_depends_upwards(self):
        self.put("src/base/CMakeLists.txt", "firstcome_library(base SOURCES log.cc DEPENDS desk)\n")
        self.assert_finds("folders", "src/base/CMakeLists.txt:1", "downwards only")

    def test_include_that_is_not_declared(self):
        self.put("src/desk/CMakeLists.txt", "firstcome_library(desk SOURCES desk.cc DEPENDS base)\n")
        self.assert_finds("folders", "src/desk/desk.cc:1", "does not list model")

    def test_header_that_includes_upwards(self):
        self.put("src/base/log.h", '#pragma once\n\n#include "model/claim.h"\n')
        self.assert_finds("folders", "src/base/log.h:3", "does not list model")

    def test_include_that_does_not_exist(self):
        self.put("src/desk/desk.cc", '#include "model/clam.h"\n')
        self.assert_finds("folders", "src/desk/desk.cc:1", "does not exist")

    def test_vendor_in_another_file(self):
        self.put("src/desk/desk.cc", "#include <spdlog/spdlog.h>\n")
        self.assert_finds("folders", "src/desk/desk.cc:1", "src/base/log.cc only")

    def test_vendor_rule_that_is_too_wide(self):
        self.put("tools/check/vendors.txt", "^spdlog/ src/base/log.cc src/desk/desk.cc\n")
        self.assert_finds("folders", "tools/check/vendors.txt:1", "remove it")

    def test_links(self):
        self.put("docs/api.md", "[gone](nothing.md)\n[no heading](../README.md#nowhere)\n`src/desk/gone.h`\n")
        for place in ("docs/api.md:1", "docs/api.md:2", "docs/api.md:3"):
            self.assert_finds("links", place)

    def test_decision_without_index(self):
        self.put("docs/decisions/0003-threads.md", "# Threads\n")
        self.assert_finds("decisions", "docs/decisions/README.md:1", "0003-threads.md")

    def test_index_without_decision(self):
        self.put("docs/decisions/README.md", FINE["docs/decisions/README.md"] + "- [Gone](0003-gone.md)\n")
        self.assert_finds("decisions", "docs/decisions/README.md:3")

    def test_decision_under_another_title(self):
        self.put("docs/decisions/0002-sqlite.md", "# SQLite embedded\n")
        self.assert_finds("decisions", "docs/decisions/README.md:2", "SQLite embedded")

    def test_gap_in_the_numbers(self):
        (self.root / "docs/decisions/0001-one-truth.md").unlink()
        self.put("README.md", "# firstcome\n")
        self.put("docs/decisions/README.md", "- [SQLite](0002-sqlite.md)\n")
        self.assert_finds("decisions", "docs/decisions/0002-sqlite.md:1", "0001")

    def test_mention_of_a_decision_that_is_none(self):
        self.put("src/desk/desk.cc", "// docs/decisions/0009 says why\n")
        self.assert_finds("decisions", "src/desk/desk.cc:1", "0009")


if __name__ == "__main__":
    unittest.main()
