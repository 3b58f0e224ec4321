"""A PostgreSQL server of a measurement's own, as Debian sets one up: every commit reaches the disk.

It works on the disk of the temporary folder, like the data files of the other measurements, and is gone afterwards.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import servers

# The user whom it runs as where the measurement runs as root, because it refuses to be root.
USER = "postgres"


def program(name):
    """Debian keeps the server's programs by version, outside of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name) or name


def as_user(command):
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--", *command]


@contextlib.contextmanager
def server():
    """Gives the URL of an empty database."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="deskbell-bench-postgres-"))
    if os.getuid() == 0:
        shutil.chown(folder, USER)
    process = None
    try:
        run([program("initdb"), "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
        port = servers.free_port()
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                as_user([program("postgres"), "-D", str(folder / "data"), "-k", str(folder), "-p", str(port),
                         "-c", "listen_addresses=127.0.0.1"]),
                cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        ask = [program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", "-qc", "SELECT 1"]
        end = time.monotonic() + servers.READY_SECONDS
        while subprocess.run(ask, capture_output=True, check=False).returncode != 0:
            if time.monotonic() > end or process.poll() is not None:
                raise servers.Failed(f"PostgreSQL did not start: {(folder / 'log').read_text()[-500:]}")
            time.sleep(0.05)
        yield f"postgres://postgres@127.0.0.1:{port}/postgres"
    finally:
        if process and process.poll() is None:
            process.terminate()
            process.wait(servers.READY_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def run(command):
    done = subprocess.run(as_user([str(word) for word in command]), capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        raise servers.Failed(f"{command[0]}: {done.stderr.strip()[-300:]}; run make setup")
