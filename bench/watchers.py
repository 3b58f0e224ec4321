"""Screens that watch resources while somebody holds and releases them: what a delta costs the server.

A backend holds a time of each resource in turn and releases it again, and the next request goes out when everybody
has been told. There are so many resources that none changes twice within the time in which deltas are joined.
Counted are the deltas that arrive, and the CPU time of the shard, which is what fans out; beside it the time of the
whole server, in which deciding, committing and HTTP are included.

The yardstick is read by these same screens, in the same rhythm, and sends frames of the same size: how fast a client
reads, when it acknowledges, and how long the sender rests between two events, change what a `send()` costs by a fifth.
"""

import http.client
import itertools
import json
import os
import pathlib
import select
import socket
import time

import servers

WATCHERS = 1000
ROOMS = [f"room-{number}" for number in range(10)]
# Bytes of a delta's frame: the yardstick sends as many.
FRAME = 330
# A delta that takes longer than this is lost.
PATIENCE_S = 10
DELTA = b'"slots.delta"'
# The yardstick's events come after such a rest, in which Deskbell decides and commits.
COMMIT_S = 0.0015
# The threads that fan out: the shards, the yardstick's only one, and the kernel's for what spills out of them.
SENDERS = ("shard-", "limit", "ksoftirqd/")
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Watchers:
    """Sockets that are subscribed, and how many deltas (or other events) each has seen."""

    def __init__(self, sockets, mark=DELTA):
        self.poll = select.epoll()
        self.sockets, self.seen, self.rest, self.mark = {}, {}, {}, mark
        for watcher in sockets:
            self.sockets[watcher.fileno()] = watcher
            self.seen[watcher.fileno()] = 0
            self.rest[watcher.fileno()] = b""
            watcher.setblocking(False)
            self.poll.register(watcher, select.EPOLLIN)

    def start_over(self, mark):
        """Counts from 0 again, and something else."""
        self.mark = mark
        self.seen = dict.fromkeys(self.sockets, 0)
        self.rest = dict.fromkeys(self.sockets, b"")

    def wait(self, each):
        """Reads until every socket has seen so many deltas."""
        missing = sum(1 for seen in self.seen.values() if seen < each)
        # Never asleep, as the generator never is: waking it would be counted as the sender's time.
        end = time.monotonic() + PATIENCE_S
        while missing:
            if time.monotonic() > end:
                raise servers.Failed(f"{missing} of {len(self.seen)} watchers were not told within {PATIENCE_S} s")
            for number, _ in self.poll.poll(0):
                before = self.seen[number]
                self.read(number)
                missing -= before < each <= self.seen[number]

    def read(self, number):
        received = self.sockets[number].recv(65536)
        # Acknowledged now and by this core. A kernel that delays it, as it does after a conversation of some length,
        # lets a timer do it on the core that sent, for every delivery.
        self.sockets[number].setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        if not received:
            raise servers.Failed("a watcher was disconnected")
        # A name may be cut in two by the end of what has arrived.
        text = self.rest[number] + received
        self.seen[number] += text.count(self.mark)
        found = text.rfind(self.mark)
        tail = text[found + len(self.mark):] if found >= 0 else text
        self.rest[number] = tail[-(len(self.mark) - 1):]

    def close(self):
        for watcher in self.sockets.values():
            watcher.close()
        self.poll.close()


def connect(port, channels, token=""):
    """A WebSocket that is subscribed to channels."""
    watcher = websocket(port, token)
    for channel in channels:
        watcher.sendall(frame(json.dumps({"type": "subscribe", "channel": channel}).encode()))
    read_until(watcher, b'"subscribed"', len(channels))
    return watcher


def subscribed_to_yardstick(port):
    watcher = websocket(port)
    watcher.sendall(frame(b"S:"))
    read_until(watcher, b"\x81\x02OK", 1)
    return watcher


def websocket(port, token="", path="/v1/ws?app=bench"):
    opened = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    # The key is fixed because the yardstick's answer is.
    opened.sendall(
        f"GET {path}{token and f'&token={token}'} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
    return opened


def read_until(opened, wanted, times):
    received = b""
    while received.count(wanted) < times:
        more = opened.recv(4096)
        if not more:
            raise servers.Failed(f"a watcher could not subscribe: {received[-200:]!r}")
        received += more


def frame(text):
    """A text frame. A mask of zeros leaves the text as it is."""
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


class Backend:
    """One connection with the secret."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def ask(self, method, path, body):
        headers = {"Authorization": f"Bearer {servers.SECRET}", "Content-Type": "application/json"}
        self.connection.request(method, path, json.dumps(body), headers)
        answer = self.connection.getresponse()
        said = json.loads(answer.read())
        if answer.status >= 300:
            raise servers.Failed(f"{method} {path}: {answer.status} {said}")
        return said


def cpu_seconds(pids, threads=("",)):
    """What the threads of these processes have spent whose names begin like this."""
    total = 0
    for task in (task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()):
        name, fields = task.joinpath("stat").read_text().split("(", 1)[1].rsplit(")", 1)
        if name.startswith(threads):
            total += sum(map(int, fields.split()[11:13]))
    return total / CLOCK_TICKS


def watched(binaries, run):
    """Deltas until the time is over, one at a time; a report like the generator's."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.GENERATOR_CORE})
    try:
        return (by_the_yardstick if run.server == "limit" else by_the_ledger)(binaries, run.options[0])
    finally:
        os.sched_setaffinity(0, before)


def by_the_yardstick(binaries, seconds):
    with servers.Limit(binaries) as server:
        port = int(server.target.rsplit(":", 1)[1])
        watchers = Watchers(subscribed_to_yardstick(port) for _ in range(WATCHERS))
        publisher = websocket(port)
        read_until(publisher, b"\r\n\r\n", 1)
        # Four bytes of the frame are its header.
        published = frame(b"P:x:" + DELTA.ljust(FRAME - 4, b"."))

        def changes():
            while True:
                time.sleep(COMMIT_S)
                publisher.sendall(published)
                yield

        return report(server, watchers, changes(), seconds)


def by_the_ledger(binaries, seconds):
    with servers.Deskbell(binaries) as server:
        backend = Backend(int(server.target.rsplit(":", 1)[1]))
        for room in ROOMS:
            backend.ask("PUT", f"/v1/resources/{room}", {"capacity": 1})
        rooms = [f"slots:{room}" for room in ROOMS]
        watchers = Watchers(connect(backend.connection.port, rooms) for _ in range(WATCHERS))
        return report(server, watchers, holds_and_releases(backend), seconds)


def holds_and_releases(backend):
    """One change of the ledger after the other, each resource in turn."""
    start = int(time.time() * 1000) // 3_600_000 * 3_600_000 + 86_400_000
    held = {}
    for room in itertools.cycle(ROOMS):
        if room in held:
            hold = held.pop(room)
            backend.ask("POST", f"/v1/holds/{hold['id']}/release", {"fence": hold["fence"]})
        else:
            claim = {"resource": room, "start": start, "end": start + 1_800_000}
            held[room] = backend.ask("POST", "/v1/holds", {"claims": [claim]})["reservation"]
        yield


def report(server, watchers, changes, seconds):
    """Each change, then the look whether everybody has been told."""
    whole, sender = cpu_seconds(server.pids), cpu_seconds(server.pids, SENDERS)
    told, began = 0, time.monotonic()
    try:
        while time.monotonic() - began < seconds:
            next(changes)
            told += 1
            watchers.wait(told)
    finally:
        watchers.close()
    whole, sender = cpu_seconds(server.pids) - whole, cpu_seconds(server.pids, SENDERS) - sender
    seen = sum(watchers.seen.values())
    return {
        "options": {"connections": WATCHERS, "outstanding": 1},
        "published": {"deliveries_per_cpu_s": seen / sender, "stalls": 0},
        "whole": {"deliveries_per_cpu_s": seen / whole},
        "checks": {"deliveries": seen, "lost": 0, "duplicated": max(seen - told * WATCHERS, 0), "misrouted": 0,
                   "disconnects": 0, "reordered": 0},
    }
