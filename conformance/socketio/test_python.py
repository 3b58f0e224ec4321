"""python-socketio against the server: both of its clients, each transport, and functions that take exactly their
arguments."""

import asyncio
import json
import pathlib
import queue
import socket
import sys
import time
import unittest
import urllib.request

import socketio

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

CONFIG = """
[[access]]
pattern = "lobby"
allow = ["subscribe"]
to = "everyone"
"""


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = deskbell.server(CONFIG)
        cls.address = cls.running.__enter__()
        cls.url = f"http://{cls.address}"

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None, None, None)

    def ask(self, path, body):
        request = urllib.request.Request(
            self.url + path, json.dumps(body).encode(),
            {"Authorization": f"Bearer {deskbell.SECRET}", "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def token(self, user):
        return self.ask("/v1/tokens", {"user": user, "roles": ["CLIENT"]})["token"]

    def publish(self, room, name, data):
        self.ask("/v1/publish", {"channel": room, "name": name, "data": data})


class Sync(Server):
    """The client with threads. A handler with one argument fails if it is given an offset as well."""

    def client(self, user=None, transports=None, namespaces=None, handlers=("booking_update", "n", "room_error")):
        client = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.1)
        client.said = queue.Queue()
        for name in handlers:
            client.on(name, lambda data, name=name: client.said.put((name, data)))
        auth = {"token": self.token(user)} if user else None
        client.connect(self.url, auth=auth, transports=transports, namespaces=namespaces)
        self.addCleanup(client.disconnect)
        return client

    def test_each_transport_gets_events_with_exactly_their_arguments(self):
        for name, transports in {"polling": ["polling"], "websocket": ["websocket"], "upgrade": None}.items():
            with self.subTest(name):
                client = self.client(f"py-{name}", transports)
                self.publish(f"user_py-{name}", "booking_update", {"id": "b-1", "text": "Gr\u00fc\u00dfe"})
                self.assertEqual(client.said.get(timeout=10), ("booking_update", {"id": "b-1", "text": "Gr\u00fc\u00dfe"}))
                self.assertEqual(client.transport(), "polling" if name == "polling" else "websocket")

    def test_calls_are_acknowledged_and_refusals_say_why(self):
        client = self.client("py-call")
        self.assertEqual(client.call("join_room", "lobby"), {"success": True})
        refused = client.call("join_room", "user_somebody")
        self.assertEqual((refused["success"], refused["code"]), (False, "denied"))
        name, shown = client.said.get(timeout=10)
        self.assertEqual((name, shown["room"]), ("room_error", "user_somebody"))

    def test_a_backend_asks_and_what_its_function_gives_back_is_the_answer(self):
        client = self.client("py-ask")
        client.on("still_there", lambda question: (question["since"], "yes"))
        answer = self.ask("/v1/ask?wait=10", {"channel": client.get_sid(), "name": "still_there", "data": {"since": 10}})
        self.assertEqual(answer["answers"][0]["args"], [10, "yes"])

    def test_a_hundred_packets_that_wait_for_a_poll_come_in_bundles_that_it_takes(self):
        client = self.client("py-many", ["polling"])
        events = [{"channel": "user_py-many", "name": "n", "data": n} for n in range(100)]
        self.ask("/v1/publish", {"events": events})
        self.assertEqual([client.said.get(timeout=20)[1] for _ in range(100)], list(range(100)))
        self.assertTrue(client.connected)

    def test_a_wrong_token_is_a_connection_error(self):
        client = socketio.Client(reconnection=False)
        with self.assertRaises(socketio.exceptions.ConnectionError):
            client.connect(self.url, auth={"token": "a.b.c"})

    def test_a_namespace_that_there_is_and_one_that_there_is_not(self):
        client = self.client("py-space", namespaces=["/api/socket"])
        self.assertIn("/api/socket", client.namespaces)
        nowhere = socketio.Client(reconnection=False)
        with self.assertRaises(socketio.exceptions.ConnectionError):
            nowhere.connect(self.url, namespaces=["/nowhere"])

    def test_it_comes_back_after_its_connection_is_lost(self):
        client = self.client("py-back", ["websocket"])
        back = queue.Queue()
        client.on("connect", lambda: back.put(True))
        # Not close(): a thread that waits in recv keeps the connection of a closed file open until something arrives.
        client.eio.ws.sock.shutdown(socket.SHUT_RDWR)
        back.get(timeout=20)
        self.publish("user_py-back", "n", 7)
        self.assertEqual(client.said.get(timeout=10), ("n", 7))


class Async(Server):
    """The client with asyncio."""

    def run_with(self, user, body, transports=None):
        async def run():
            client = socketio.AsyncClient()
            said = asyncio.Queue()
            client.on("booking_update", lambda data: said.put_nowait(data))
            await client.connect(self.url, auth={"token": self.token(user)}, transports=transports)
            try:
                await body(client, said)
            finally:
                await client.disconnect()

        asyncio.run(asyncio.wait_for(run(), 30))

    def test_each_transport_gets_events_and_answers(self):
        async def body(client, said):
            self.assertEqual(await client.call("join_room", "lobby"), {"success": True})
            await asyncio.to_thread(self.publish, f"user_{user}", "booking_update", {"id": user})
            self.assertEqual(await asyncio.wait_for(said.get(), 10), {"id": user})

        for transports in (["polling"], ["websocket"], None):
            user = f"aio-{len(transports or [])}-{(transports or ['both'])[0]}"
            with self.subTest(user):
                self.run_with(user, body, transports)

    def test_it_is_connected_within_the_second_that_it_waits(self):
        async def body(client, _):
            self.assertTrue(client.connected)

        begun = time.monotonic()
        self.run_with("aio-quick", body)
        self.assertLess(time.monotonic() - begun, 10)


if __name__ == "__main__":
    unittest.main()
