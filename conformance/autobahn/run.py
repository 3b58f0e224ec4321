#!/usr/bin/env python3
"""Runs the Autobahn suite against `/echo` and compares every case with expected.json: run.py KIND [--accept].

`quick` is what every change must pass; `full` adds every compression parameter and the largest messages, and takes
an hour; anything else is a list of cases, as `9.*,12.1.1`. A case that expected.json does not name must be OK.
`--accept` writes what was seen over what was expected: look at the difference before you commit.
"""

import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

EXPECTED = HERE / "expected.json"
JAVA = "/usr/share/java"
PLAIN = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
CASES = {
    "quick": PLAIN + ["9.1.*", "9.2.*"] + [f"{group}.1.{n}" for group in (12, 13) for n in range(1, 6)],
    "full": PLAIN + ["9.*", "12.*", "13.*"],
}
# Seconds after which a run is stuck.
PATIENCE = {"quick": 600, "full": 4 * 3600}
CONFIG = """
[websocket]
echo = true
compression = true
"""


def cases(kind):
    """The patterns that a kind of run stands for."""
    return CASES.get(kind) or kind.split(",")


def run_suite(kind, address, out):
    """Runs the suite; gives case → "behaviour/behaviour of the close"."""
    spec = out / "spec.json"
    report = out / "report"
    spec.write_text(json.dumps({
        "outdir": str(report),
        "servers": [{"agent": "deskbell", "url": f"ws://{address}/echo"}],
        "cases": cases(kind),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }))
    suite = deskbell.WORK / "autobahn"
    jars = ":".join(f"{JAVA}/{name}.jar" for name in ("jython", "bcprov", "bcpkix", "bcutil"))
    command = ["java", "-Xmx768m", "-XX:+UseSerialGC", "-cp", jars, "-Dpython.home=/usr",
               f"-Dpython.cachedir={suite}/cache", "org.python.util.jython", str(HERE / "wstest.py"),
               str(suite / "lib"), "-m", "fuzzingclient", "-s", str(spec)]
    with open(out / "suite.log", "w", encoding="utf-8") as log:
        ended = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=PATIENCE.get(kind, PATIENCE["full"]), check=False)
    index = report / "index.json"
    # The suite ends with 0 even when cases fail, and this file is the only verdict.
    if ended.returncode != 0 or not index.exists():
        raise SystemExit(f"the suite itself broke; see {out / 'suite.log'}")
    verdicts = json.loads(index.read_text())["deskbell"]
    return {name: f"{case['behavior']}/{case['behaviorClose']}" for name, case in verdicts.items()}


def numbers(case):
    """Cases in the order in which people count."""
    return [int(part) for part in case.split(".")]


def compare(expected, seen):
    """Every difference as a line. A case that did not run is a difference, too."""
    lines = []
    for case in sorted(expected.keys() | seen.keys(), key=numbers):
        wanted, got = expected.get(case, "OK/OK"), seen.get(case, "nothing")
        if wanted != got:
            lines.append(f"autobahn {case}: expected {wanted}, saw {got}")
    return lines


def accept(known, seen):
    """Writes down what was seen; what this kind of run does not cover stays as it was."""
    merged = {**known, **seen}
    EXPECTED.write_text(json.dumps({case: merged[case] for case in sorted(merged, key=numbers)}, indent=1) + "\n")


def covered(case, kind):
    """Does this kind of run contain the case?"""
    return any(case == pattern or (pattern.endswith("*") and case.startswith(pattern[:-1]))
               for pattern in cases(kind))


def main():
    """One run."""
    kind = sys.argv[1]
    out = deskbell.WORK / (f"autobahn-{kind}" if kind in CASES else "autobahn-some")
    subprocess.run(["rm", "-rf", str(out)], check=True)
    out.mkdir(parents=True)
    with deskbell.server(CONFIG) as address:
        seen = run_suite(kind, address, out)
    known = json.loads(EXPECTED.read_text()) if EXPECTED.exists() else {}
    if "--accept" in sys.argv:
        accept(known, seen)
        known = {**known, **seen}
    differences = compare({case: verdict for case, verdict in known.items() if covered(case, kind)}, seen)
    for line in differences:
        print(line)
    print(f"RESULT autobahn: {len(seen) - len(differences)} passed, {len(differences)} failed")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
