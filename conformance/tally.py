#!/usr/bin/env python3
"""Counts what all runners of one `make test` said: tally.py LOG STATUS prints `N passed, M failed`.

Each runner has its own words. A step that failed without naming a failed test (it did not compile, a lint, a crash)
is one failure, so that a red run never reads as "0 failed".
"""

import re
import sys

# What a line of each runner says, as (passed, failed).
CARGO = re.compile(r"test result: (?:ok|FAILED)\. (\d+) passed; (\d+) failed;")
# Our own runners: Autobahn, clients, fuzz, documentation.
OURS = re.compile(r"RESULT [\w-]+: (\d+) passed, (\d+) failed")
# `node --test` in TAP. Cancelled tests count as failed.
NODE_PASS = re.compile(r"# pass (\d+)")
NODE_FAIL = re.compile(r"# (?:fail|cancelled) (\d+)")
# Python's unittest: "Ran 5 tests in 0.1s", then "FAILED (failures=1, errors=2)" if any failed.
UNITTEST = re.compile(r"Ran (\d+) tests? in ")
UNITTEST_FAILED = re.compile(r"FAILED \(([^)]*)\)")
# A step that make gave up.
STEP = re.compile(r"make(?:\[\d+\])?: \*\*\* \[.*?: ([\w-]+)\] (?:Error|.*Terminated|.*Killed)")


def tally(lines, status):
    """Passed and failed tests of a log. `status` is make's own."""
    passed = failed = 0
    # Failures since the last step that make gave up: they are why it failed.
    named = 0
    for line in lines:
        line = re.sub(r"\x1b\[[0-9;]*m", "", line.rstrip("\n"))
        here = 0
        if found := CARGO.match(line) or OURS.match(line):
            passed += int(found[1])
            here = int(found[2])
        elif found := NODE_PASS.match(line):
            passed += int(found[1])
        elif found := NODE_FAIL.match(line):
            here = int(found[1])
        elif found := UNITTEST.match(line):
            passed += int(found[1])
        elif found := UNITTEST_FAILED.match(line):
            here = sum(int(number) for number in re.findall(r"(?:failures|errors)=(\d+)", found[1]))
            passed -= here
        elif STEP.match(line):
            here = 0 if named else 1
            named = 0
            failed += here
            continue
        failed += here
        named += here
    if status != 0 and failed == 0:
        failed = 1
    return passed, failed


def main():
    """Reads the log that is named and prints the one line."""
    path, status = sys.argv[1:]
    with open(path, encoding="utf-8", errors="replace") as log:
        passed, failed = tally(log, int(status))
    print(f"{passed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and int(status) == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
