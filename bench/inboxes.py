"""A large inbox, and a notification to everybody who is online: what both cost the server.

Ten thousand users are connected, each on a channel of its own. Everybody is notified, and beside it the same channels
get as many durable publishes with as much in them: one a request, and a thousand a request. Counted is the CPU time of
the whole server from the first request until everybody has been told.
"""

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import os
import resource
import select
import socket
import statistics
import time

import servers
import watchers

# Users that one request notifies, and events that one request publishes, at most.
BATCH = 1000
# Requests under way at once, where there are many.
OUTSTANDING = 64
# The same where each brings a whole batch: the store refuses what is more than 4,096 publishes.
BATCHES_OUTSTANDING = 4
# How often a look at the large inbox is repeated; the median counts.
LOOKS = 21
TITLE = "Your appointment is confirmed"
TOLD, PUBLISHED = b'"notification.created"', b'"bench.published"'


def token(user):
    """A token of a user, signed with the app's secret."""
    def part(text):
        return base64.urlsafe_b64encode(text).rstrip(b"=")
    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps({"sub": user, "exp": 4102444800}).encode())
    tag = hmac.new(servers.SECRET.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + part(tag)).decode()


class Crowd:
    """Connections of backends: many requests, and so many of them under way at once."""

    def __init__(self, port):
        self.poll = select.epoll()
        self.sockets = {}
        for _ in range(OUTSTANDING):
            opened = socket.create_connection(("127.0.0.1", port), watchers.PATIENCE_S)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[opened.fileno()] = opened
            self.poll.register(opened, select.EPOLLIN)

    def ask(self, path, bodies, at_once=OUTSTANDING):
        """Sends every body to a path; each must be answered with success."""
        waiting = iter(bodies)
        going = {number: b"" for number in itertools.islice(self.sockets, at_once)
                 if self.send(number, path, next(waiting, None))}
        while going:
            ready = self.poll.poll(watchers.PATIENCE_S)
            if not ready:
                raise servers.Failed(f"{path}: no answer within {watchers.PATIENCE_S} s")
            for number, _ in ready:
                received = going[number] + self.sockets[number].recv(65536)
                if not whole(path, received):
                    going[number] = received
                elif self.send(number, path, next(waiting, None)):
                    going[number] = b""
                else:
                    del going[number]

    def send(self, number, path, body):
        if body is None:
            return False
        text = json.dumps(body).encode()
        self.sockets[number].sendall(
            f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {servers.SECRET}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text)
        return True

    def close(self):
        for opened in self.sockets.values():
            opened.close()
        self.poll.close()


def whole(path, received):
    """Is the answer all there? It must be one of success."""
    head, end, body = received.partition(b"\r\n\r\n")
    if not end:
        return False
    if not head.startswith(b"HTTP/1.1 200 "):
        raise servers.Failed(f"{path}: {received[:300]!r}")
    refused = body.find(b'{"error":')
    if refused >= 0:
        raise servers.Failed(f"{path}: a part was refused: {body[refused:][:300]!r}")
    length = next(line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length)


def measured(binaries, run):
    """One run; a report like the generator's."""
    size, users, waves = run.options
    with servers.Deskbell(binaries) as server:
        port = int(server.target.rsplit(":", 1)[1])
        crowd = Crowd(port)
        try:
            crowd.ask("/v1/notifications", (notification(["whole"]) for _ in range(size)))
            inbox = looked(port, size)
            told = everybody(server, port, crowd, [f"u{number}" for number in range(users)], waves)
        finally:
            crowd.close()
    checks = dict.fromkeys(("lost", "misrouted", "disconnects", "reordered"), 0)
    return {"inbox": inbox, "cpu_s": told["cpu_s"], "options": {"connections": users}, "published": None,
            "latency": None, "checks": {**checks, "duplicated": told["extra"]}}


def notification(users):
    return {"users": users, "type": "booking", "title": TITLE, "data": {"booking": 81}}


def looked(port, size):
    """Milliseconds of each look at the large inbox."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=watchers.PATIENCE_S)

    def ask(method, path):
        began = time.perf_counter()
        connection.request(method, path, "{}" if method == "POST" else None,
                           {"Authorization": f"Bearer {servers.SECRET}"})
        answer = connection.getresponse()
        said = json.loads(answer.read())
        if answer.status != 200:
            raise servers.Failed(f"{method} {path}: {answer.status} {said}")
        return (time.perf_counter() - began) * 1000, said

    def look(path):
        return statistics.median(ask("GET", path)[0] for _ in range(LOOKS))
    unread = ask("GET", "/v1/inbox?user=whole")[1]["unread"]
    if unread != size:
        raise servers.Failed(f"{unread} of {size} notifications are there")
    page = "/v1/notifications?user=whole&limit=50"
    found = {"page_ms": look(page), "deep_page_ms": look(f"{page}&before={size // 2}"),
             "count_ms": look("/v1/inbox?user=whole")}
    # Only the first one has anything to do.
    found["read_all_ms"], said = ask("POST", "/v1/notifications/read_all?user=whole")
    if said["unread"]:
        raise servers.Failed(f"not all was read: {said}")
    found["none_unread_ms"] = look(f"{page}&unread=true")
    connection.close()
    return found


def everybody(server, port, crowd, users, waves):
    """CPU seconds of the server for notifying everybody, and for as many publishes; in turn, so often."""
    soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(len(users) + 1000, most)), most))
    listening = watchers.Watchers([online(port, user) for user in users], TOLD)
    parts = [users[start:start + BATCH] for start in range(0, len(users), BATCH)]
    ways = {
        "notified": (
            TOLD, "/v1/notifications", BATCHES_OUTSTANDING, lambda: [notification(part) for part in parts]),
        "published": (PUBLISHED, "/v1/publish", OUTSTANDING, lambda: [event(user) for user in users]),
        "published in batches": (
            PUBLISHED, "/v1/publish", BATCHES_OUTSTANDING,
            lambda: [{"events": [event(user) for user in part]} for part in parts]),
    }
    spent, extra = dict.fromkeys(ways, 0.0), 0
    try:
        for _ in range(waves):
            for way, (mark, path, at_once, bodies) in ways.items():
                listening.start_over(mark)
                before, asked = watchers.cpu_seconds(server.pids), bodies()
                crowd.ask(path, asked, at_once)
                listening.wait(1)
                spent[way] += watchers.cpu_seconds(server.pids) - before
                extra += sum(listening.seen.values()) - len(users)
    finally:
        listening.close()
    return {"cpu_s": spent, "extra": extra}


def event(user):
    """A publish with as much in it as a notification has for its user."""
    data = {"number": 100, "user": user, "id": "GFb1M0i8rSkKXm3W", "type": "booking", "title": TITLE,
            "data": {"booking": 81}, "unread": 100}
    return {"channel": f"user:{user}", "name": "bench.published", "data": data}


def online(port, user):
    """A WebSocket of a user on the own channel."""
    return watchers.connect(port, [f"user:{user}"], token(user))


def ratio(over, under):
    return lambda round: next(iter(round.values()))["cpu_s"][over] / next(iter(round.values()))["cpu_s"][under]


def milliseconds(name):
    return lambda round: next(iter(round.values()))["inbox"][name]
