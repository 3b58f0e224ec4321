"""A booking page as its plugin's own test page measures it: one client, one message after the other, and the time until
its answer; then a thousand messages within a second, before a limit may answer.

Locks and appointments are the ledger's: each lock is on the disk before it is answered.
"""

import base64
import collections
import hashlib
import hmac
import json
import os
import statistics
import time

import servers
import watchers

PERSON = "ann@example.org"
# As many as somebody has who comes every other week for a year.
APPOINTMENTS = 25
FLOOD = 1000
FLOOD_S = 1


def signed(email):
    """What the site makes of an address for a day."""
    until = int(time.time() + 86400).to_bytes(8, "big")
    proof = hmac.new(servers.SECRET.encode(), b"email:" + email.encode() + until, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(until + proof).rstrip(b"=").decode()


class Page:
    """One page with its WebSocket."""

    def __init__(self, port):
        self.socket = watchers.websocket(port, path=f"/?email={PERSON}&sig={signed(PERSON)}")
        self.buffer = b""
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        if b" 101 " not in head:
            raise servers.Failed(f"the page was not let in: {head!r}")
        greeting = self.next()
        if greeting["type"] != "connection" or greeting["isAnonymous"]:
            raise servers.Failed(f"the page is not greeted as {PERSON}: {greeting}")

    def fill(self):
        more = self.socket.recv(1 << 16)
        if not more:
            raise servers.Failed("the page was disconnected")
        self.buffer += more

    def next(self):
        """The next message, which has no mask and comes in one piece."""
        while True:
            # How many bytes say how long it is stands in the second.
            longer = {126: 2, 127: 8}.get(self.buffer[1] & 127, 0) if len(self.buffer) > 1 else 0
            start = 2 + longer
            if len(self.buffer) >= start:
                size = int.from_bytes(self.buffer[2:start], "big") if longer else self.buffer[1] & 127
                if len(self.buffer) >= start + size:
                    frame, self.buffer = self.buffer[:start + size], self.buffer[start + size:]
                    if frame[0] & 15 == 1:
                        return json.loads(frame[start:])
                    continue
            self.fill()

    def say(self, **message):
        self.socket.sendall(watchers.frame(json.dumps(message).encode()))

    def ask(self, answer, **message):
        """Milliseconds until the answer; nothing where it is another one."""
        began = time.perf_counter()
        self.say(**message)
        while True:
            told = self.next()
            if told["type"] in (answer, "error", "slot_taken"):
                took = (time.perf_counter() - began) * 1000
                return took if told["type"] == answer else None


def slot(nth):
    return {"date": "2025-11-03", "time": f"{nth // 2 % 24:02}:{nth % 2 * 30:02}", "employeeId": 1}


def conversed(binaries, run):
    """The times of each kind of message."""
    (count,) = run.options
    times = collections.defaultdict(list)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.GENERATOR_CORE})
    try:
        with servers.Deskbell(binaries, more={"DESKBELL_LIMIT_RATE": "0"}) as server:
            port = int(server.target.rsplit(":", 1)[1])
            backend = watchers.Backend(port)
            for nth in range(APPOINTMENTS):
                told = {"appointment_id": f"APT-{nth}", "email": PERSON, "employee_id": 2,
                        "appointment_date": f"2025-11-{nth + 1:02} 10:00:00"}
                backend.ask("POST", "/broadcast", {"event": "appointment.created", "data": told})
            page = Page(port)
            for nth in range(count):
                times["ping"].append(page.ask("pong", type="ping", timestamp=int(time.time() * 1000)))
            for nth in range(count):
                times["lock"].append(page.ask("slot_locked", type="lock_slot", **slot(nth)))
                # Some stay, so that there is something that cannot be had.
                if nth % 48 > 20 or nth >= 48:
                    times["unlock"].append(page.ask("slot_unlocked", type="unlock_slot", **slot(nth)))
            for nth in range(count):
                times["availability"].append(page.ask("availability_update", type="check_availability", date="2025-11-03", employeeId=1))
            for nth in range(count):
                times["appointments"].append(page.ask("appointments_data", type="watch_appointments", email=PERSON))
    finally:
        os.sched_setaffinity(0, before)
    errors = sum(took is None for kind in times.values() for took in kind)
    good = {kind: sorted(took for took in all if took is not None) for kind, all in times.items()}
    return report({kind: {"p50_ms": statistics.median(all), "p99_ms": all[int(len(all) * 0.99)]} for kind, all in good.items()},
                  sum(map(len, times.values())), errors)


def flooded(binaries, run):
    """A thousand messages of one client, evenly within a second, with the limits as they are."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {servers.GENERATOR_CORE})
    try:
        with servers.Deskbell(binaries) as server:
            page = Page(int(server.target.rsplit(":", 1)[1]))
            began = time.perf_counter()
            for nth in range(FLOOD):
                while time.perf_counter() - began < nth * FLOOD_S / FLOOD:
                    pass
                page.say(type="ping", sequence=nth)
            sent = time.perf_counter() - began
            answers = [page.next()["type"] for _ in range(FLOOD)]
            took = time.perf_counter() - began
    finally:
        os.sched_setaffinity(0, before)
    pongs = answers.count("pong")
    return report({"answered": pongs / FLOOD, "sent_per_s": FLOOD / sent, "late_ms": (took - sent) * 1000}, FLOOD, FLOOD - pongs)


def report(page, answers, errors):
    return {
        "options": {"connections": 1, "outstanding": 1}, "published": None, "page": {**page, "errors": errors},
        "checks": {"deliveries": answers, "lost": 0, "duplicated": 0, "misrouted": errors, "disconnects": 0, "reordered": 0},
    }


def p99(label, kind):
    return lambda round: round[label]["page"][kind]["p99_ms"]
