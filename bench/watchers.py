"""Screens that watch resources while somebody holds and releases them: what a delta costs the server.

A backend holds a time of each resource in turn and releases it again, and the next request goes out when everybody
has been told. There are so many resources that none changes twice within the time in which deltas are joined.
Counted are the deltas that arrive, and the CPU time of the shard, which is what fans out; beside it the time of the
whole server, in which deciding, committing and HTTP are included.
"""

import base64
import http.client
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
    watcher = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    key = base64.b64encode(os.urandom(16)).decode()
    watcher.sendall(
        f"GET /v1/ws?app=bench{token and f'&token={token}'} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode())
    for channel in channels:
        watcher.sendall(frame({"type": "subscribe", "channel": channel}))
    received = b""
    while received.count(b'"subscribed"') < len(channels):
        more = watcher.recv(4096)
        if not more:
            raise servers.Failed(f"a watcher could not subscribe: {received[-200:]!r}")
        received += more
    return watcher


def frame(message):
    """A text frame of less than 126 bytes. A mask of zeros leaves the text as it is."""
    text = json.dumps(message).encode()
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


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


def cpu_seconds(pids, thread=""):
    """What the threads of these processes have spent whose names begin like this."""
    total = 0
    for task in (task for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir()):
        name, fields = task.joinpath("stat").read_text().split("(", 1)[1].rsplit(")", 1)
        if name.startswith(thread):
            total += sum(map(int, fields.split()[11:13]))
    return total / CLOCK_TICKS


def watched(binaries, run):
    """The deltas of holds and releases until the time is over; a report like the generator's."""
    with servers.Deskbell(binaries) as server:
        port = int(server.target.rsplit(":", 1)[1])
        backend = Backend(port)
        for room in ROOMS:
            backend.ask("PUT", f"/v1/resources/{room}", {"capacity": 1})
        rooms = [f"slots:{room}" for room in ROOMS]
        watchers = Watchers([connect(port, rooms) for _ in range(WATCHERS)])
        try:
            return report(server, backend, watchers, run.options[0])
        finally:
            watchers.close()


def report(server, backend, watchers, seconds):
    start = int(time.time() * 1000) // 3_600_000 * 3_600_000 + 86_400_000
    whole, shard = cpu_seconds(server.pids), cpu_seconds(server.pids, "shard-")
    told, held, began = 0, {}, time.monotonic()
    while time.monotonic() - began < seconds:
        for room in ROOMS:
            if room in held:
                hold = held.pop(room)
                backend.ask("POST", f"/v1/holds/{hold['id']}/release", {"fence": hold["fence"]})
            else:
                claim = {"resource": room, "start": start, "end": start + 1_800_000}
                held[room] = backend.ask("POST", "/v1/holds", {"claims": [claim]})["reservation"]
            told += 1
            watchers.wait(told)
    whole, shard = cpu_seconds(server.pids) - whole, cpu_seconds(server.pids, "shard-") - shard
    seen = sum(watchers.seen.values())
    extra = seen - told * WATCHERS
    return {
        "options": {"connections": WATCHERS, "outstanding": 1},
        "published": {"deliveries_per_cpu_s": seen / shard, "stalls": 0},
        "whole": {"deliveries_per_cpu_s": seen / whole},
        "checks": {"deliveries": seen, "lost": 0, "duplicated": max(extra, 0), "misrouted": 0, "disconnects": 0,
                   "reordered": 0},
    }
