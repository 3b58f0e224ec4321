#!/usr/bin/env python3
"""Runs what the documents show, in an empty folder, against a fresh server without any configuration.

* A block ```sh test``` runs under `sh -eu`, one after the other as they stand in the file, with `deskbell` on the path.
  The address 127.0.0.1:8080 is replaced by the one that the server got, so that nobody has to free the port.
* A block ```toml test``` is a configuration that `deskbell check` must accept.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

BLOCK = re.compile(r"^```([a-z]+(?: [a-z]+)*)\n(.*?)^```$", re.M | re.S)
SHOWN = "127.0.0.1:8080"
# Seconds after which a command is stuck.
PATIENCE = 60


def documents():
    """The README and everything below docs/, but not the decisions: they tell of their time."""
    yield deskbell.ROOT / "README.md"
    yield from sorted((deskbell.ROOT / "docs").glob("*.md"))


def blocks(path, kind):
    """The blocks of a kind, each with the line on which it starts."""
    text = path.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        if found[1] == kind:
            yield text[:found.start()].count("\n") + 1, found[2]


def run(name, command, folder, environment, text=None):
    """Runs one block; gives whether it went well, and shows what it said if not."""
    ended = subprocess.run(command, cwd=folder, env=environment, input=text, text=True, timeout=PATIENCE,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ended.returncode != 0:
        print(f"docs {name}: status {ended.returncode}\n{ended.stdout}")
    return ended.returncode == 0


def commands(path, shown):
    """Runs the commands of one document against a server of its own."""
    with tempfile.TemporaryDirectory(prefix="deskbell-docs-") as folder:
        own = {name: value for name, value in os.environ.items() if not name.startswith("DESKBELL_")}
        child = subprocess.Popen([deskbell.binary(), "serve", "--listen", "127.0.0.1:0"], cwd=folder, env=own,
                                 stderr=subprocess.PIPE, text=True)
        try:
            address = next(found[1] for line in child.stderr
                           if (found := re.search(r"listening on http://(\S+)", line)))
            # The commands of people are called `deskbell`, whatever the binary under test is called.
            tools = pathlib.Path(folder) / ".bin"
            tools.mkdir()
            (tools / "deskbell").symlink_to(deskbell.binary())
            own |= {"PATH": f"{tools}:{own['PATH']}", "DESKBELL_LISTEN": address}
            return [run(f"{path.name}:{line}", ["sh", "-eu"], folder, own, text.replace(SHOWN, address))
                    for line, text in shown]
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stderr.close()


def configurations(path):
    """Checks the configurations of one document."""
    results = []
    for line, text in blocks(path, "toml test"):
        with tempfile.TemporaryDirectory(prefix="deskbell-docs-") as folder:
            (pathlib.Path(folder) / "deskbell.toml").write_text(text, encoding="utf-8")
            results.append(run(f"{path.name}:{line}", [deskbell.binary(), "check"], folder, os.environ))
    return results


def main():
    """Runs every document."""
    results = []
    for path in documents():
        shown = list(blocks(path, "sh test"))
        if shown:
            results += commands(path, shown)
        results += configurations(path)
    failed = results.count(False)
    print(f"RESULT docs: {len(results) - failed} passed, {failed} failed")
    # No block at all means that the search is broken.
    sys.exit(1 if failed or len(results) < 3 else 0)


if __name__ == "__main__":
    main()
