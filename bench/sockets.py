"""Socket.IO: Deskbell beside npm's `socket.io` and the crate `socketioxide`, under the same clients and publishes.

Both peers are servers of a few lines each (`bench/socketio`), which `bench/setup.sh` builds outside of the tree.
"""

import asyncio
import json
import os
import re
import shutil
import subprocess
import time

import scenarios
import servers
import watchers

SOURCES = servers.ROOT / "bench" / "socketio"
# A polling client that is not answered within this time is broken.
PATIENCE_S = 30
ROOM = "public-bench-0"
PEER_NAMES = ("socketioxide", "socket.io")


class Limit(servers.Limit):
    """The yardstick, as far as clients of Socket.IO can connect to it and join a room."""

    def start(self):
        super().start()
        self.target = self.target.replace("limit://", "socketio://")


class Peer(servers.Server):
    """A server of Socket.IO that says its port on its first line."""

    def start(self):
        self.spawn(self.command(), {"PORT": str(servers.free_port())}, subprocess.PIPE)
        line = self.process.stdout.readline().strip()
        if not line:
            raise servers.Failed(f"{type(self).__name__} did not start: {self.errors()}")
        self.target, self.options = f"socketio://127.0.0.1:{int(line)}", []


class Node(Peer):
    """npm's `socket.io`."""

    def command(self):
        folder = servers.PEERS / "socket.io"
        installed(folder / "node_modules")
        # The program as it stands in the tree, among the packages that were installed.
        shutil.copy(SOURCES / "node" / "server.mjs", folder)
        return ["node", folder / "server.mjs"]


class Oxide(Peer):
    """The crate `socketioxide`."""

    def command(self):
        return [installed(servers.PEERS / "socketioxide" / "release" / "bench-socketioxide")]


def installed(path):
    if not path.exists():
        raise servers.Failed(f"{path} is missing: bench/setup.sh builds it")
    return path


KINDS = {"limit-socketio": Limit, "socket.io": Node, "socketioxide": Oxide}


def runs(*options):
    """The same load on all three, one after the other in every round."""
    return {"deskbell": scenarios.Run("deskbell-socketio", list(options)),
            **{peer: scenarios.Run(peer, list(options)) for peer in PEER_NAMES}}


def beside(what, value, oxide, node):
    """A figure of Deskbell's over each peer's."""
    bounds = {"socketioxide": oxide, "socket.io": node}
    return [scenarios.Target(f"{what}, deskbell / {peer}",
                             lambda round, peer=peer: value(round["deskbell"]) / value(round[peer]), least=least)
            for peer, least in bounds.items()]


def all_scenarios(timed, quick):
    per_cpu, connects, seconds = scenarios.per_cpu, scenarios.connects_per_cpu, 3 if quick else 20
    hot = ["--connections", 1000, "--rate", 1000, "--outstanding", 16, *timed]
    idle = ["--connections", 10000, "--source-addresses", 64, "--duration", 0, "--settle", 3]
    memory = {label: scenarios.bytes_per_connection(label) for label in ("deskbell", *PEER_NAMES)}
    return [
        scenarios.Scenario(
            "socketio-fanout-10k", "One room of Socket.IO, 10,000 clients, one publish at a time",
            runs("--connections", 10000, *timed), beside("deliveries per CPU second", per_cpu, 1.35, 2.4), rounds=3),
        scenarios.Scenario(
            "socketio-burst-1k", "One room of Socket.IO, 1,000 clients, 16 publishes at once",
            runs("--connections", 1000, "--outstanding", 16, *timed),
            beside("deliveries per CPU second", per_cpu, 2, 12), rounds=3),
        scenarios.Scenario(
            "socketio-hot", "1,000 events/s to 1,000 clients of Socket.IO",
            {"deskbell": scenarios.Run("deskbell-socketio", hot)},
            [scenarios.Target("p99 in ms", scenarios.latency("deskbell", "p99_ms"), most=10)], rounds=3),
        scenarios.Scenario(
            "socketio-connect", "10,000 clients of Socket.IO connect, join a room and stay silent",
            {"limit": scenarios.Run("limit-socketio", idle), **runs(*idle)},
            [*beside("connects per CPU second", connects, 2.5, 6),
             scenarios.Target("connects per CPU second, deskbell / limit",
                              lambda round: connects(round["deskbell"]) / connects(round["limit"]), least=0.6),
             # What a server could reach that does nothing but accept, read and send.
             *(scenarios.Target(f"connects per CPU second, limit / {peer}",
                                lambda round, peer=peer: connects(round["limit"]) / connects(round[peer]))
               for peer in PEER_NAMES),
             scenarios.Target("resident bytes per connection", memory["deskbell"], most=2048),
             *(scenarios.Target(f"resident bytes per connection of {peer}", memory[peer]) for peer in PEER_NAMES)],
            rounds=3),
        scenarios.Scenario(
            "socketio-polling", "1,000 clients of Socket.IO that poll, one event a second to all of them",
            {"deskbell": scenarios.Run("deskbell-socketio", [1000, seconds])},
            [scenarios.Target("share of a core", lambda round: round["deskbell"]["share"], most=0.25)],
            rounds=3, measure=polled),
    ]


class Polling:
    """One client that polls, and its two connections: one waits, the other sends."""

    def __init__(self, port):
        self.port, self.heard, self.path = port, 0, "/socket.io/?EIO=4&transport=polling"

    async def connect(self):
        self.waiting = await asyncio.open_connection("127.0.0.1", self.port)
        opened = await self.ask(self.waiting, "GET", self.path)
        self.path += "&sid=" + json.loads(opened[1:])["sid"]
        await self.ask(self.waiting, "POST", self.path, "40")
        await self.ask(self.waiting, "GET", self.path)
        await self.ask(self.waiting, "POST", self.path, f'420["join_room","{ROOM}"]')
        answer = await self.ask(self.waiting, "GET", self.path)
        if '"success":true' not in answer:
            raise servers.Failed(f"a polling client got no room: {answer}")

    async def poll(self):
        while True:
            packets = (await self.ask(self.waiting, "GET", self.path)).split("\x1e")
            self.heard += sum(packet.startswith('42["e"') for packet in packets)
            if "2" in packets:
                await self.ask(self.waiting, "POST", self.path, "3")

    async def ask(self, connection, method, path, body=""):
        reader, writer = connection
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)).decode()
        if not head.startswith("HTTP/1.1 200"):
            raise servers.Failed(f"{method} {path}: {head}")
        length = int(re.search(r"content-length: (\d+)", head, re.I)[1])
        return (await reader.readexactly(length)).decode()


async def polling(server, clients, seconds):
    port = int(server.target.rsplit(":", 1)[1])
    everybody = [Polling(port) for _ in range(clients)]
    for one in everybody:
        await one.connect()
    tasks = [asyncio.create_task(one.poll()) for one in everybody]
    backend = watchers.Backend(port)
    before, began = watchers.cpu_seconds(server.pids), time.monotonic()
    for number in range(seconds):
        await asyncio.to_thread(backend.ask, "POST", "/v1/publish", {"channel": ROOM, "name": "e", "data": number})
        await asyncio.sleep(max(0, began + number + 1 - time.monotonic()))
    share = (watchers.cpu_seconds(server.pids) - before) / (time.monotonic() - began)
    for task in tasks:
        task.cancel()
    failed = [result for result in await asyncio.gather(*tasks, return_exceptions=True)
              if not isinstance(result, asyncio.CancelledError)]
    if failed:
        raise servers.Failed(f"{len(failed)} polling clients ended: {failed[0]!r}")
    return share, [one.heard for one in everybody]


def polled(binaries, run):
    """A report like the generator's."""
    clients, seconds = run.options
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.GENERATOR_CORE})
    try:
        with servers.Deskbell(binaries, "socketio") as server:
            share, heard = asyncio.run(polling(server, clients, seconds))
    finally:
        os.sched_setaffinity(0, before)
    return {
        "options": {"connections": clients}, "published": None, "share": share,
        "checks": {"deliveries": sum(heard), "lost": sum(max(seconds - count, 0) for count in heard),
                   "duplicated": sum(max(count - seconds, 0) for count in heard), "misrouted": 0, "disconnects": 0,
                   "reordered": 0},
    }
