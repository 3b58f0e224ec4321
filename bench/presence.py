"""A presence channel whose members all come within five seconds and then all go: what it costs beyond what the
protocol itself asks for.

The protocol has whoever comes told of everybody who is there, and everybody who is there told of whoever comes or goes:
so many bytes must be sent by any server. Ids and what members show have one length, so that the sum does not depend on
the order. Counted is what arrives on all sockets, beside that sum, and the server's CPU time and memory.
"""

import hashlib
import hmac
import json
import os
import pathlib
import select
import time

import servers
import watchers

CHANNEL = "presence-storm"
QUIET_S = 1
# Two who leave in one moment are not told of each other, so a little less than the sum may come.
LEAST = 0.98


class Member:
    """One socket with its name and what has arrived on it since it was greeted."""

    def __init__(self, port, number):
        self.socket = watchers.websocket(port, path="/app/bench?protocol=7")
        self.id = f"m{number:04}"
        head = b""
        while b"activity_timeout" not in head or not head.endswith(b"}"):
            more = self.socket.recv(4096)
            if not more:
                raise servers.Failed(f"a member was not let in: {head!r}")
            head += more
        greeting = json.loads(head[head.rindex(b'{"event"'):])
        self.socket_id = json.loads(greeting["data"])["socket_id"]
        self.socket.setblocking(False)
        self.received = 0

    def join(self):
        shown = compact({"user_id": self.id, "user_info": {"name": self.id}})
        signed = f"{self.socket_id}:{CHANNEL}:{shown}".encode()
        signature = hmac.new(servers.SECRET.encode(), signed, hashlib.sha256).hexdigest()
        self.say("pusher:subscribe", {"channel": CHANNEL, "auth": f"bench:{signature}", "channel_data": shown})

    def leave(self):
        self.say("pusher:unsubscribe", {"channel": CHANNEL})

    def say(self, event, data):
        self.socket.sendall(watchers.frame(json.dumps({"event": event, "data": data}).encode()))


def size(event, data):
    """The bytes of a frame of the server."""
    text = len(json.dumps({"event": event, "channel": CHANNEL, "data": compact(data)}, separators=(",", ":")))
    return text + (2 if text < 126 else 4 if text < 65536 else 10)


def compact(data):
    return json.dumps(data, separators=(",", ":"))


def demanded(count):
    """The bytes that joins and leaves of so many members ask of any server: (joins, leaves)."""
    ids = [f"m{number:04}" for number in range(count)]

    def succeeded(there):
        present = ids[:there]
        presence = {"count": there, "ids": present, "hash": {one: {"name": one} for one in present}}
        return size("pusher_internal:subscription_succeeded", {"presence": presence})
    shown = {"user_id": ids[0], "user_info": {"name": ids[0]}}
    pairs = count * (count - 1) // 2
    joins = sum(succeeded(there + 1) for there in range(count)) + pairs * size("pusher_internal:member_added", shown)
    return joins, pairs * size("pusher_internal:member_removed", {"user_id": ids[0]})


class Crowd:
    def __init__(self, port, count):
        self.members = [Member(port, number) for number in range(count)]
        self.poll = select.epoll()
        self.by_number = {member.socket.fileno(): member for member in self.members}
        for number in self.by_number:
            self.poll.register(number, select.EPOLLIN)
        self.received = 0

    def read(self, wait=0):
        for number, _ in self.poll.poll(wait):
            got = len(self.by_number[number].socket.recv(1 << 20))
            if not got:
                raise servers.Failed("a member was disconnected")
            self.received += got

    def storm(self, act, seconds, wanted):
        """Each member in turn, spread over so many seconds; then whatever is still owed."""
        before, began = self.received, time.monotonic()
        for place, member in enumerate(self.members):
            act(member)
            while time.monotonic() - began < seconds * (place + 1) / len(self.members):
                self.read(0.001)
        # Over when nothing has come for a while; whoever sends more than it must would go on.
        last, so_far = time.monotonic(), self.received
        while time.monotonic() - last < QUIET_S:
            self.read(0.05)
            if self.received != so_far:
                last, so_far = time.monotonic(), self.received
        if self.received - before < LEAST * wanted:
            raise servers.Failed(f"only {self.received - before} of {wanted} bytes came")
        return self.received - before, last - began - seconds

    def close(self):
        for member in self.members:
            member.socket.close()
        self.poll.close()


def resident(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def stormed(binaries, run):
    count, seconds = run.options
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.GENERATOR_CORE})
    try:
        with servers.Deskbell(binaries, "pusher", more={"DESKBELL_PUSHER_MEMBERS": str(count)}) as server:
            port = int(server.target.rsplit(":", 1)[1])
            crowd = Crowd(port, count)
            cpu, memory = watchers.cpu_seconds(server.pids), resident(server.pids[0])
            must = demanded(count)
            came, late = crowd.storm(Member.join, seconds, must[0])
            went, later = crowd.storm(Member.leave, seconds, must[1])
            cpu = watchers.cpu_seconds(server.pids) - cpu
            memory = resident(server.pids[0]) - memory
            crowd.close()
    finally:
        os.sched_setaffinity(0, before)
    changes = 2 * count
    return {
        "options": {"connections": count, "outstanding": 1}, "published": None,
        "storm": {"bytes": came + went, "demanded": sum(must), "late_s": max(late, later), "cpu_s": cpu,
                  "cpu_us_per_frame": cpu * 1e6 / (count * (count - 1)), "memory": memory, "changes": changes},
        "checks": {"deliveries": count * (count - 1), "lost": 0, "duplicated": 0, "misrouted": 0, "disconnects": 0,
                   "reordered": 0},
    }
