"""The store by itself: durable holds and releases beside what the same disk gives to bare SQLite.

What measures is `crates/server/examples/ledger.rs`; here its lines become figures. It starts its clients as
threads of its own process, so that nothing but the store is measured, and asks for both in turn.
"""

import os
import re
import subprocess

import postgres
import servers

# A run writes its past first, which takes longer than what it measures.
PATIENCE = 600


def measured(binaries, run):
    """One run of the example, as a report."""
    return report(printed(binaries, run, {}))


def shared(binaries, run):
    """The same, and behind it over PostgreSQL."""
    with postgres.server() as url:
        text = printed(binaries, run, {"DESKBELL_LEDGER": url})
    return over_postgres(text)


def over_postgres(text):
    """The figures of both stores."""
    found = report(text)
    for line in text.splitlines():
        rate = re.match(r"PostgreSQL, (one per transaction|hold \+ release), +(\d+) +(\d+)/s .*p99 +(\d+) us", line)
        if rate:
            figures = {"per_s": int(rate[3]), "p99_ms": int(rate[4]) / 1000}
            found["stored"][f"PostgreSQL {rate[1]} {rate[2]}"] = figures
    wanted = [f"PostgreSQL one per transaction {count}" for count in (1, 32)]
    wanted += [f"PostgreSQL hold + release {clients}" for clients in (32, 256)]
    return complete(found, wanted)


def printed(binaries, run, environment):
    command = [str(binaries.ledger), *map(str, run.options)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DESKBELL_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE,
                          env={**kept, **environment})
    if done.returncode != 0:
        raise servers.Failed(f"the ledger broke off: {done.stderr.strip()[-300:]}")
    return done.stdout


def complete(found, wanted):
    missing = [name for name in wanted if name not in found["stored"]]
    if missing:
        raise servers.Failed(f"the ledger did not say: {', '.join(missing)}")
    return found


def report(text):
    """The figures in what the example prints."""
    stored = {}
    for line in text.splitlines():
        rate = re.match(r"(bare INSERT|hold \+ release).*?(one per transaction|\d+) +(\d+)/s .*p99 +(\d+) us", line)
        if rate:
            name = {"one per transaction": "1"}.get(rate[2], rate[2])
            stored[f"{rate[1]} {name}"] = {"per_s": int(rate[3]), "p99_ms": int(rate[4]) / 1000}
        week = re.match(r"a look at a week .*?p50 +(\d+) us", line)
        if week:
            stored["week_ms"] = int(week[1]) / 1000
        one_slot = re.match(r"1,000 holds on one slot.*worst +(\d+) us", line)
        if one_slot:
            stored["one_slot_ms"] = int(one_slot[1]) / 1000
    wanted = ["hold + release 1", "week_ms", "one_slot_ms"]
    wanted += [f"{what} {clients}" for what in ("bare INSERT", "hold + release") for clients in (32, 256)]
    checks = dict.fromkeys(("lost", "duplicated", "misrouted", "disconnects", "reordered"), 0)
    return complete({"stored": stored, "checks": checks, "published": None, "latency": None, "options": {}}, wanted)


def rate(label, name):
    return lambda round: round[label]["stored"][name]["per_s"]


def ratio(label, over, under):
    return lambda round: rate(label, over)(round) / rate(label, under)(round)
