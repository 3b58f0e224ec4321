"""Starts the servers that are measured and the load generator, and describes the machine."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
SERVER_CORE, GENERATOR_CORE = 0, 1
SECRET = "bench-secret-bench-secret-bench-secret"
# The id of the app, which the Pusher protocol has in its paths.
APP_ID = "1001"
# A server that is not ready after this is broken, and so is a run that takes longer.
READY_SECONDS, RUN_SECONDS = 20, 180


# Other people's servers, as bench/setup.sh installs them: outside the tree, because they take half an hour to build.
PEERS = pathlib.Path(os.environ.get("DESKBELL_PEERS") or pathlib.Path.home() / ".cache" / "deskbell-peers")


class Failed(Exception):
    """A server or a run did not do what it should; the message says what to look at."""


class Binaries:
    """Builds the programs and knows where they are."""

    def __init__(self, profile, build):
        if build:
            command = ["cargo", "build", "--locked", "--profile", profile, "-p", "deskbell", "-p", "limit",
                       "--bins", "--example", "ledger"]
            if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
                raise Failed(f"the build failed: {' '.join(command)}")
        # Absolute, because the servers run in folders of their own.
        target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute()
        self.deskbell = target / profile / "deskbell"
        self.limit = target / profile / "limit"
        self.ledger = target / profile / "examples" / "ledger"
        self.sockudo = PEERS / "sockudo" / "bin" / "sockudo"
        for binary in (self.deskbell, self.limit, self.ledger):
            if not binary.exists():
                raise Failed(f"{binary} is missing: leave out --no-build")


def pinned(core, command):
    return command if core is None else ["taskset", "-c", str(core), *command]


def softirq_processes():
    """Packets the server sends are received in softirq on its core, and that may spill into this thread."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == f"ksoftirqd/{SERVER_CORE}":
                return [int(entry.name)]
    return []


class Server:
    """One running server. `wrap` is put before its command line, for measuring tools."""

    def __init__(self, binaries, pin=True, wrap=()):
        self.binaries, self.pin, self.wrap = binaries, pin, list(wrap)
        self.process = None
        self.folder = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="deskbell-bench-"))
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(READY_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def spawn(self, command, environment, stdout):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("DESKBELL_")}
        command = pinned(SERVER_CORE if self.pin else None, [*self.wrap, *map(str, command)])
        with open(self.folder / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                command, env={**kept, **environment}, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=errors)

    def errors(self):
        return (self.folder / "errors").read_text(errors="replace")[-2000:].strip()

    @property
    def pids(self):
        return [self.process.pid, *(softirq_processes() if self.pin else [])]


class Limit(Server):
    """The yardstick."""

    def start(self):
        self.spawn([self.binaries.limit], {"PORT": "0", "LIFE": str(RUN_SECONDS + 60)}, subprocess.PIPE)
        line = self.process.stdout.readline().strip()
        if not line:
            raise Failed(f"the yardstick did not start: {self.errors()}")
        self.target, self.options = f"limit://127.0.0.1:{int(line)}", []


class Deskbell(Server):
    """The server itself, with everything it writes in a folder that goes away. `dialect` is what its clients speak."""

    def __init__(self, binaries, dialect="native", shards=1, tls=False, more=None, **rest):
        super().__init__(binaries, **rest)
        self.dialect, self.shards, self.tls, self.more = dialect, shards, tls, more or {}

    def start(self):
        port = free_port()
        environment = {
            # Pages of AppointEase are served where it is known what their dates mean.
            "DESKBELL_APPOINTEASE_TIME_ZONE": "Europe/Oslo",
            "DESKBELL_APP_ID": APP_ID,
            "DESKBELL_APP_KEY": "bench",
            "DESKBELL_APP_SECRET": SECRET,
            # All connections come from one address here; a limit per address would measure only itself.
            "DESKBELL_LIMIT_CONNECTIONS_PER_ADDRESS": "0",
            "DESKBELL_LIMIT_CONNECT_RATE_PER_ADDRESS": "0",
            "DESKBELL_LIMIT_RATE_PER_ADDRESS": "0",
            "DESKBELL_LIMIT_RATE_PER_IDENTITY": "0",
            **self.more,
        }
        if self.tls:
            certificate, key = make_certificate(self.folder)
            environment |= {"DESKBELL_TLS_CERT": str(certificate), "DESKBELL_TLS_KEY": str(key)}
        data = self.folder / "data"
        data.mkdir()
        command = [self.binaries.deskbell, "serve", "--listen", f"127.0.0.1:{port}", "--data", data,
                   "--shards", self.shards]
        with open(self.folder / "output", "wb") as output:
            self.spawn(command, environment, output)
        wait_until_ready(self, f"{'https' if self.tls else 'http'}://127.0.0.1:{port}/readyz")
        self.target = f"{self.dialect}://127.0.0.1:{port}"
        self.options = ["--app", "bench", *(["--tls"] if self.tls else [])]


class Sockudo(Server):
    """Sockudo with all of its state in memory, and nothing that would hold it back."""

    def start(self):
        if not self.binaries.sockudo.exists():
            raise Failed(f"{self.binaries.sockudo} is missing: bench/setup.sh builds it, in half an hour")
        port = free_port()
        environment = {
            "HOST": "127.0.0.1", "PORT": str(port), "DEBUG": "false", "LOG_LEVEL": "error", "RUST_LOG": "error",
            "SOCKUDO_DEFAULT_APP_ID": APP_ID, "SOCKUDO_DEFAULT_APP_KEY": "bench", "SOCKUDO_DEFAULT_APP_SECRET": SECRET,
            "SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS": "100000",
            "ADAPTER_DRIVER": "local", "CACHE_DRIVER": "memory", "QUEUE_DRIVER": "memory", "APP_MANAGER_DRIVER": "memory",
            "RATE_LIMITER_ENABLED": "false", "RATE_LIMITER_DRIVER": "none", "METRICS_ENABLED": "false",
        }
        with open(self.folder / "output", "wb") as output:
            self.spawn([self.binaries.sockudo], environment, output)
        wait_until_ready(self, f"http://127.0.0.1:{port}/up")
        self.target, self.options = f"pusher://127.0.0.1:{port}", ["--app", "bench", "--app-id", APP_ID]


def wait_until_ready(server, url):
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise Failed(f"the server ended with {server.process.returncode}: {server.errors()}")
        try:
            with urllib.request.urlopen(url, timeout=2, context=unchecked) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.02)
    raise Failed(f"{url} did not answer 200 within {READY_SECONDS} s: {server.errors()}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_certificate(folder):
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
               "-keyout", key, "-out", certificate]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failed(f"openssl made no certificate: {done.stderr.strip()}")
    return certificate, key


def generate(binaries, server, options):
    """One run of the load generator against a server; its report."""
    pids = [word for pid in server.pids for word in ("--server-pid", str(pid))]
    # Spinning needs a core of its own; without pinning it would take one from the server.
    spin = ["--spin"] if server.pin else []
    command = [str(binaries.deskbell), "bench", "--target", server.target, "--json",
               *spin, *pids, *server.options, *map(str, options)]
    try:
        done = subprocess.run(
            pinned(GENERATOR_CORE if server.pin else None, command), capture_output=True, text=True,
            timeout=RUN_SECONDS, check=False, env={**os.environ, "DESKBELL_APP_SECRET": SECRET})
    except subprocess.TimeoutExpired as error:
        raise Failed(f"the run took more than {RUN_SECONDS} s: {' '.join(command)}") from error
    if done.returncode not in (0, 1) or not done.stdout.strip():
        raise Failed(f"the generator ended with {done.returncode}: {done.stderr.strip()} {server.errors()}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def describe_machine():
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
            "system": platform.system(), "memory_gib": memory_gib()}


def memory_gib():
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def busy_share(seconds=1.0):
    """How much of the machine others are using: figures of a busy machine say little."""
    def read():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
        return sum(fields), fields[3] + fields[4]
    total, idle = read()
    time.sleep(seconds)
    later_total, later_idle = read()
    return 1 - (later_idle - idle) / max(later_total - total, 1)
