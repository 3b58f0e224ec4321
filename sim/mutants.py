#!/usr/bin/env python3
"""Plants known bugs, one at a time, and looks whether the tests catch each.

Every patch in sim/mutants is a bug that some booking system shipped, or one that ours had. The tree is
copied below the build directory, so nothing here is ever part of the product; each patch is applied to the
copy, the tests run, and the patch is taken back. One that survives fails the run: then the tests prove
nothing about it. All share one build directory, so each costs a rebuild of one crate.

    sim/mutants.py            all of them
    sim/mutants.py 05 12      some of them, by number
    sim/mutants.py --by rules only what these tests catch of those that ask for them

The suite `pages` is two browsers on the page /websocket-test; `conformance/setup.sh` fetches what it needs.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mutants"
TREE, TARGET = BUILD / "tree", BUILD / "target"

# What runs against each mutant. A patch says in its head (`Caught-by: NAME`) whom it needs; the others are for
# everybody, and everybody must catch them.
SUITES = {
    "rules": ["cargo", "test", "--locked", "--quiet", "-p", "deskbell-core", "--test", "core", "reservation"],
    "simulator": ["cargo", "test", "--locked", "--quiet", "-p", "deskbell-sim", "--test", "world"],
    "pages": ["node", "--test", "--test-reporter=tap", "--test-concurrency=1", "conformance/browser/all-tests.test.mjs"],
}
# What everybody is: the others run only against the mutants that ask for them.
EVERYBODY = ["rules", "simulator"]

# Seconds after which a run counts as one that never ends: a bug that hangs is caught as well.
PATIENCE = 600


def copy():
    """Copies what belongs to the project; what did not change keeps its time and is not built again."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                            capture_output=True, text=True).stdout.split("\n")
    names = {name for name in listed if name and (ROOT / name).is_file()}
    for old in TREE.rglob("*"):
        if old.is_file() and str(old.relative_to(TREE)) not in names:
            old.unlink()
    for name in names:
        source, target = ROOT / name, TREE / name
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def patch(file, *how):
    # Git must not take the copy for a part of the project that it lies in.
    outside = {**os.environ, "GIT_CEILING_DIRECTORIES": str(BUILD)}
    done = subprocess.run(["git", "apply", *how, str(file)], cwd=TREE, env=outside, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{file.name} does not fit the code any more; make it anew:\n{done.stderr}")


def prepare(suite, environment):
    """Builds what a suite runs; gives where it runs, or None where that does not build."""
    outside = suite == "pages"
    # The browser and what drives it stand outside of the copy; the server under test is the copy's.
    command = ["cargo", "build", "--locked", "--quiet", "--bin", "deskbell"] if outside else [*SUITES[suite], "--", "--list"]
    built = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, text=True)
    if built.returncode:
        sys.stderr.write(built.stderr[-3000:])
        return None
    return ROOT if outside else TREE


def run(suite):
    """The tests that failed, or a word for how it ended otherwise; None, where it does not build."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "RUST_BACKTRACE": "0",
                   "PROPTEST_MAX_SHRINK_ITERS": "0", "BINARY_UNDER_TEST": str(TARGET / "debug" / "deskbell")}
    for kept in TREE.rglob("proptest-regressions"):
        shutil.rmtree(kept)
    place = prepare(suite, environment)
    if place is None:
        return None
    try:
        done = subprocess.run(SUITES[suite], cwd=place, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return ["(it never ends)"]
    if done.returncode == 0:
        return []
    failed = re.findall(r"^    ([a-z_]+(?:::[a-z_0-9]+)+)$|^not ok \d+ - (.+)$", done.stdout, re.MULTILINE)
    return sorted({rust or page for rust, page in failed}) or ["(the tests broke off)"]


def wanted(file, chosen):
    """The suites that a patch asks for, of those that were chosen."""
    named = re.findall(r"^Caught-by: (\w+)$", file.read_text(), re.MULTILINE)
    unknown = [name for name in named if name not in SUITES]
    if unknown:
        sys.exit(f"{file.name} names the suite {unknown[0]}, which is not there; there is {', '.join(SUITES)}")
    return [name for name in named or EVERYBODY if name in chosen]


def attempt(file, suites):
    """Plants one and runs the suites: for each the tests that failed, or None where it does not build."""
    patch(file)
    try:
        return {suite: run(suite) for suite in suites}
    finally:
        patch(file, "--reverse")


def verdict(suite, failed):
    """One suite's word on a mutant."""
    if failed is None:
        return f"{suite}: IT DOES NOT BUILD"
    names = [test.split("::")[-1] for test in failed]
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"{suite}: {', '.join(names[:2])}{more}" if names else f"{suite}: NOT AT ALL"


def main():
    words = sys.argv[1:]
    chosen = [words.pop(words.index("--by") + 1)] if "--by" in words else list(SUITES)
    numbers = [word for word in words if word != "--by"]
    copy()
    files = sorted((ROOT / "sim" / "mutants").glob("*.patch"))
    files = [file for file in files if not numbers or file.name.split("-")[0] in numbers]
    files = [file for file in files if wanted(file, chosen)]
    healthy = {suite: run(suite) for suite in chosen if any(suite in wanted(file, chosen) for file in files)}
    broken = [verdict(suite, failed) for suite, failed in healthy.items() if failed != []]
    if broken or not files:
        sys.exit("Without any mutant the tests must pass.\n" + "\n".join(broken or ["there is no mutant"]))
    survivors = []
    print(f"{'mutant':44} {'time':>5}  caught by", flush=True)
    for file in files:
        begun = time.monotonic()
        ran = attempt(file, wanted(file, chosen))
        if not all(ran.values()):
            survivors.append(file.stem)
        by = "; ".join(verdict(suite, failed) for suite, failed in ran.items())
        print(f"{file.stem:44} {time.monotonic() - begun:4.0f}s  {by}", flush=True)
    if survivors:
        sys.exit(f"{len(survivors)} of {len(files)} survived: {', '.join(survivors)}. Write the test that catches it.")
    print(f"All {len(files)} were caught.")


if __name__ == "__main__":
    main()
