#!/usr/bin/env python3
"""End to end: a client that is not ours against the real program. FIRSTCOME names the program.

Every answer of the API and every way to use it wrongly, by status and text; at the end the routes that were reached. A route
that never answered as itself fails the run.
"""

import sys
import unittest

import wire

MODULES = ("test_claims", "test_admin", "test_wire", "test_process", "test_commands")


class Result(unittest.TextTestResult):
    """Counts what passed itself: a failing class or subtest makes the difference of the other counts wrong."""

    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1


def main():
    chosen = sys.argv[1:]
    suite = unittest.defaultTestLoader.loadTestsFromNames(chosen or MODULES)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout, resultclass=Result).run(suite)
    missing = [] if chosen else wire.coverage()
    for route in missing:
        print(f"never reached: {route}")
    failed = len(result.failures) + len(result.errors) + len(result.skipped) + len(missing)
    print(f"{result.passed} passed, {failed} failed")
    return 0 if failed == 0 and result.passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
