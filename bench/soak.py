#!/usr/bin/env python3
"""Runs the tests with their full counts and writes down what came of it, with date and machine.

    bench/soak.py                    every part, one after the other: hours
    bench/soak.py counts autobahn    only these; of the others the last result stays in the record

The record is bench/results/soak.md (and .json). The output of each part is kept in .work until its next run.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import time

import run
import servers

sys.path.insert(0, str(servers.ROOT / "conformance"))
import tally  # noqa: E402

# The tests that have full counts. One at a time: a herd of 18,000 takes all the open files that a process may have.
COUNTED = ["crash::", "drain::", "herd::", "ledger::acceptance", "ledger::slots", "matrix::", "outside::", "slow::"]

PARTS = {
    "counts": ("Crashes, drains, herds, switches and slow readers with full counts",
               ["cargo", "test", "--locked", "--profile", "quick", "-p", "deskbell", "--test", "suite", "--",
                "--test-threads=1", "--nocapture", *COUNTED]),
    "cuts": ("1,000 cuts of pusher-js with the plugin of web/sdk", ["make", "BIN=target/quick/deskbell", "cuts"]),
    "pages": ("100 runs of all tests on /websocket-test, in two browsers at once",
              ["make", "BIN=target/quick/deskbell", "all-tests"]),
    "properties": ("The rules, the log and the codecs against their naive models, over new random histories",
                   ["cargo", "test", "--locked", "--profile", "quick", "-p", "deskbell-core", "-p", "deskbell-wire",
                    "--no-fail-fast"]),
    "postgres": ("Kills of servers and of databases, outboxes and lost commits over PostgreSQL with full counts",
                 ["env", "DESKBELL_TEST_STORE=postgres", "cargo", "test", "--locked", "--profile", "quick", "-p", "deskbell",
                  "--test", "suite", "--", "--test-threads=1", "--nocapture", "ledger_crash", "outbox", "shared::"]),
    "sim": ("10,000 simulated worlds, and the store over a disk that breaks at every point", ["make", "sim-full"]),
    "autobahn": ("Every case of the Autobahn suite", ["make", "BIN=target/quick/deskbell", "autobahn-full"]),
    "api": ("Schemathesis for ten minutes", ["make", "BIN=target/quick/deskbell", "api-full"]),
    "fuzz": ("Every fuzz target, guided by coverage", ["make", "fuzz"]),
}

# What a test says beside its verdict.
MEASURED = "measured: "


def attempt(name):
    """Runs one part: what it said, how many tests passed and failed."""
    about, command = PARTS[name]
    log = servers.ROOT / ".work" / f"soak-{name}.log"
    log.parent.mkdir(exist_ok=True)
    # Asked before, because a commit may come while it runs.
    commit = run.commit()
    began = time.monotonic()
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run(command, cwd=servers.ROOT, stdout=output, stderr=subprocess.STDOUT, check=False,
                              env={**os.environ, "DESKBELL_TEST_FULL": "1"})
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return {"about": about, "date": datetime.date.today().isoformat(), "commit": commit,
            "machine": servers.describe_machine(), "seconds": round(time.monotonic() - began),
            **verdict(lines, done.returncode), "measured": measured(lines)}


def verdict(lines, status):
    passed, failed = tally.tally(lines, status)
    return {"passed": passed, "failed": failed}


def measured(lines):
    return [line.split(MEASURED, 1)[1] for line in lines if MEASURED in line]


def page(parts):
    """The record for reading."""
    rows = ["| part | date | commit | passed | failed | minutes |", "|---|---|---|---|---|---|"]
    notes = []
    for name, part in parts.items():
        rows.append(f"| {name}: {part['about']} | {part['date']} | {part['commit']} | {part['passed']} | "
                    f"{part['failed']} | {part['seconds'] / 60:.0f} |")
        machine = part["machine"]
        notes += [f"* {name} ran on {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
                  f"{machine['system']} {machine['kernel']}.", *[f"    * {text}" for text in part["measured"]]]
    return "\n".join(["# The last runs with full counts", "", "Made with `make soak`, or one part of it with "
                      "`python3 bench/soak.py PART`.", "", *rows, "", *notes, ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="only these parts")
    chosen = parser.parse_args().parts or list(PARTS)
    results = servers.ROOT / "bench" / "results"
    record = results / "soak.json"
    parts = json.loads(record.read_text()) if record.exists() else {}
    for name in chosen:
        run.show(f"soak: {name}\n")
        parts[name] = attempt(name)
        # Written after each part: what comes later may take hours, or be stopped.
        record.write_text(json.dumps(parts, indent=1) + "\n")
        (results / "soak.md").write_text(page(parts))
    print(page({name: parts[name] for name in chosen}))
    if any(parts[name]["failed"] or not parts[name]["passed"] for name in chosen):
        sys.exit("some failed; .work has what they said")


if __name__ == "__main__":
    main()
