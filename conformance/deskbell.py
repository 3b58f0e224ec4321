"""Starts the binary under test for the Python suites, on a free port and with a data folder of its own."""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"
SECRET = "the-secret-of-the-conformance-suites"


def binary():
    """The binary under test: BINARY_UNDER_TEST, or the debug build."""
    return os.environ.get("BINARY_UNDER_TEST", str(ROOT / "target/debug/deskbell"))


@contextlib.contextmanager
def server(config="", flags=()):
    """A running server; gives its `host:port`. What it logged is shown when the body fails."""
    with tempfile.TemporaryDirectory(prefix="deskbell-conformance-") as data:
        file = pathlib.Path(data) / "deskbell.toml"
        file.write_text(config)
        child = subprocess.Popen(
            [binary(), "serve", "--config", str(file), "--data", data, "--listen", "127.0.0.1:0", *flags],
            env={**os.environ, "DESKBELL_APP_ID": "1001", "DESKBELL_APP_KEY": "key", "DESKBELL_APP_SECRET": SECRET},
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        log, reader = [], None
        try:
            address = _address(child, log)
            # Whoever does not read a pipe stops the one who writes to it.
            reader = threading.Thread(target=lambda: log.extend(child.stderr))
            reader.start()
            yield address
        except BaseException:
            print("".join(log[-40:]))
            raise
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
            if reader:
                reader.join()
            child.stderr.close()


def _address(child, log):
    for line in child.stderr:
        log.append(line)
        if found := re.search(r"listening on https?://(\S+)", line):
            return found[1]
    raise SystemExit(f"{binary()} did not start:\n{''.join(log)}")
