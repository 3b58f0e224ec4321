#!/usr/bin/env python3
"""Measures Deskbell against the yardstick, writes the figures down, and fails when a target is missed.

The server runs on core 0 and the load generator on core 1. Runs that are compared alternate inside a round, so
that a machine that is slow for a minute is slow for both. See README.md in this folder.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import scenarios
import servers

# What is kept of the options of a run: the rest is the default, or says where the server happened to listen.
KEPT_OPTIONS = ("connections", "channels", "channels_per_connection", "dirty", "batch", "size", "outstanding", "rate",
                "duration", "warmup", "tls", "sessions")

# A share of the machine that other work may take before the figures are called into question.
QUIET = 0.1


def measure(scenario, binaries, count):
    """All rounds of a scenario: a list of reports by run, and what was not clean in them."""
    rounds, faults = [], []
    for number in range(count):
        reports = {}
        for label, run in scenario.runs.items():
            show(f"{scenario.name}: round {number + 1} of {count}, {label}")
            if scenario.measure:
                reports[label] = scenario.measure(binaries, run)
            else:
                with scenarios.start(run.server, binaries) as server:
                    reports[label] = servers.generate(binaries, server, run.options)
            faults += scenarios.unclean(label, reports[label])
        rounds.append(reports)
    return rounds, faults


def show(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def outcome(scenario, binaries, count):
    """One scenario from start to verdict. What goes wrong is written down, and the others still run."""
    began = time.monotonic()
    result = {"name": scenario.name, "about": scenario.about, "busy_before": round(servers.busy_share(), 3)}
    try:
        rounds, faults = measure(scenario, binaries, min(count, scenario.rounds or count))
        result |= {"targets": scenarios.judge(scenario, rounds), "faults": faults,
                   "rounds": [{label: trim(report) for label, report in reports.items()} for reports in rounds]}
    except (servers.Failed, OSError, TypeError, ZeroDivisionError, json.JSONDecodeError) as error:
        result |= {"targets": [], "faults": [f"{type(error).__name__}: {error}"], "rounds": []}
    result["met"] = not result["faults"] and all(target["met"] for target in result["targets"])
    result["seconds"] = round(time.monotonic() - began, 1)
    return result


def trim(report):
    return {**report, "options": {name: report["options"].get(name) for name in KEPT_OPTIONS}}


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.4f}"


def table(results):
    """The figures of all scenarios, as Markdown."""
    rows = [["scenario", "figure", "median", "least to most", "target", "met"]]
    for result in results:
        for target in result["targets"]:
            spread = f"{number(target['least'])} to {number(target['most'])}"
            met = "" if target["bound"] == "recorded" else ("yes" if target["met"] else "**no**")
            rows.append([result["name"], target["text"], number(target["median"]), spread, target["bound"], met])
        rows += [[result["name"], fault.replace("|", "/").replace("\n", " "), "", "", "no faults", "**no**"]
                 for fault in result["faults"]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])


def runs_table(results):
    """The runs behind the figures: medians of what each reported."""
    rows = []
    for result in results:
        for label in (result["rounds"] or [{}])[0]:
            cells = [middle(result["rounds"], label, path) for _, path in COLUMNS]
            rows.append(f"| {result['name']} | {label} | " + " | ".join(cells) + " |")
    heads = " | ".join(head for head, _ in COLUMNS)
    return "\n".join([f"| scenario | run | {heads} |", "|---" * (len(COLUMNS) + 2) + "|", *rows])


COLUMNS = [("deliveries per CPU s", ("published", "deliveries_per_cpu_s")),
           ("per s", ("published", "deliveries_per_s")),
           ("CPU us per event", ("published", "cpu_us_per_event")),
           ("p50 ms", ("latency", "p50_ms")), ("p99 ms", ("latency", "p99_ms")),
           ("p99.9 ms", ("latency", "p999_ms"))]


def middle(rounds, label, path):
    found = []
    for reports in rounds:
        part = reports[label]
        for key in path:
            part = (part or {}).get(key)
        if part is not None:
            found.append(part)
    return number(scenarios.statistics.median(found)) if found else ""


def write(folder, record):
    """The record as JSON, and its tables for reading."""
    machine = record["machine"]
    short = re.sub(r"[^a-z0-9]+", "-", re.sub(r"\(.*?\)|@.*| CPU| Processor", "", machine["processor"]).lower())
    name = f"{record['date']}-{short.strip('-')}-{machine['cores']}-cores"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / f"{name}.md").write_text(page(record))
    return folder / f"{name}.md"


def page(record):
    machine, results = record["machine"], record["scenarios"]
    busiest = max(result["busy_before"] for result in results)
    doubt = " **Do not trust these figures.**" if busiest > QUIET else ""
    return "\n".join([
        f"# Figures of {record['date']}", "",
        f"Made with `{record['command']}` at commit {record['commit']}, profile {record['profile']}, "
        f"{record['rounds']} rounds.",
        f"Machine: {machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']} {machine['kernel']}. Server on core 0, load generator on core 1.",
        f"Other work took up to {busiest:.0%} of the machine before a scenario began.{doubt}", "",
        table(results), "", "Medians of the runs behind them:", "", runs_table(results), "",
        "What each scenario does:", "", *[f"* {result['name']}: {result['about']}." for result in results], ""])


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=servers.ROOT, capture_output=True,
                          text=True, check=False)
    return done.stdout.strip() or "unknown"


def arguments():
    names = [scenario.name for scenario in scenarios.all_scenarios(True)]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, help="rounds of each scenario (5; with --quick 1)")
    parser.add_argument("--quick", action="store_true", help="one short round: shows that it works, not how fast")
    parser.add_argument("--scenario", action="append", choices=names, help="only this one; may be repeated")
    parser.add_argument("--profile", default="release", help="cargo profile to build and measure")
    parser.add_argument("--no-build", action="store_true", help="measure what was built before")
    parser.add_argument("--priority", action="store_true", help="ask the kernel to put other work last (root only)")
    parser.add_argument("--out", type=pathlib.Path, help="folder for the record; complete runs go to bench/results")
    return parser.parse_args()


def main():
    options = arguments()
    if len(os.sched_getaffinity(0)) < 2 or not shutil.which("taskset"):
        sys.exit("two cores and taskset are needed: one core for the server and one for the load generator")
    if options.priority:
        with contextlib.suppress(OSError):
            pathlib.Path("/proc/self/autogroup").write_text("-20")
    chosen = [scenario for scenario in scenarios.all_scenarios(options.quick)
              if not options.scenario or scenario.name in options.scenario]
    count = options.rounds or (1 if options.quick else 5)
    try:
        binaries = servers.Binaries(options.profile, build=not options.no_build)
    except servers.Failed as error:
        sys.exit(str(error))
    results = []
    record = {"date": datetime.date.today().isoformat(), "command": " ".join(["bench/run.py", *sys.argv[1:]]),
              "commit": commit(), "profile": options.profile, "rounds": count,
              "machine": servers.describe_machine(), "scenarios": results}
    for scenario in chosen:
        results.append(outcome(scenario, binaries, count))
        # What was measured is not lost if a later one is broken off.
        write(servers.ROOT / "bench" / "out", record)
    show("")
    print(table(results))
    busiest = max(result["busy_before"] for result in results)
    if busiest > QUIET:
        print(f"\nThe machine was not quiet: other work took up to {busiest:.0%} of it. Do not trust these figures.")
    complete = not options.quick and not options.scenario
    folder = options.out or servers.ROOT / "bench" / ("results" if complete else "out")
    print(f"\nwritten to {write(folder, record)}")
    missed = [result["name"] for result in results if not result["met"]]
    if missed:
        sys.exit(f"missed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
