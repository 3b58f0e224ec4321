"""The native dialect with clients from PyPI: `websockets`, and `wsproto` on a bare socket."""

import contextlib
import json
import pathlib
import socket
import sys
import unittest
import urllib.error
import urllib.request

import wsproto
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

# Seconds after which a test is stuck.
PATIENCE = 20


def publish(address, event):
    """Publishes as a backend; gives the answer."""
    request = urllib.request.Request(
        f"http://{address}/v1/publish", json.dumps(event).encode(),
        {"Authorization": f"Bearer {deskbell.SECRET}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer)


def until(receive, kind):
    """Frames come until one of this type does."""
    while True:
        frame = json.loads(receive())
        if frame["type"] == kind:
            return frame


class Foreign(unittest.TestCase):
    """One server for all tests; each has its own channel."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.address = cls.stack.enter_context(deskbell.server("[limit]\nframe = \"64KiB\"\n", ["--dev"]))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()


class Websockets(Foreign):
    """The most used Python client."""

    def open(self, **options):
        """A connection past its welcome."""
        client = connect(f"ws://{self.address}/v1/ws", open_timeout=PATIENCE, **options)
        self.addCleanup(client.close)
        return client, until(lambda: client.recv(PATIENCE), "welcome")

    def test_subscribes_and_receives_what_is_published(self):
        client, _ = self.open()
        client.send(json.dumps({"type": "subscribe", "ref": 1, "channel": "py-1"}))
        self.assertEqual(until(lambda: client.recv(PATIENCE), "subscribed")["ref"], 1)
        made = publish(self.address, {"channel": "py-1", "name": "n", "data": {"größe": "😀"}})
        event = until(lambda: client.recv(PATIENCE), "event")
        self.assertEqual((event["data"], event["id"]), ({"größe": "😀"}, made["id"]))

    def test_a_message_in_many_fragments_is_one_message(self):
        client, _ = self.open()
        text = json.dumps({"type": "publish", "ref": "f", "channel": "py-2", "name": "n", "data": "ä" * 5_000})
        client.send(text[at:at + 700] for at in range(0, len(text), 700))
        self.assertEqual(until(lambda: client.recv(PATIENCE), "ok")["ref"], "f")

    def test_resumes_after_a_cut(self):
        client, welcome = self.open()
        client.send(json.dumps({"type": "subscribe", "channel": "py-3"}))
        cursor = until(lambda: client.recv(PATIENCE), "subscribed")["cursor"]
        client.socket.shutdown(socket.SHUT_RDWR)
        sent = [publish(self.address, {"channel": "py-3", "name": "n", "data": n})["id"] for n in range(3)]
        client, _ = self.open()
        client.send(json.dumps(
            {"type": "hello", "resume": welcome["resume"], "cursor": cursor, "channels": ["py-3"]}))
        self.assertTrue(until(lambda: client.recv(PATIENCE), "welcome")["resumed"])
        got = [until(lambda: client.recv(PATIENCE), "event")["id"] for _ in sent]
        self.assertEqual(got, sent)

    def test_ping_is_answered_and_a_close_is_answered_with_its_code(self):
        client, _ = self.open()
        self.assertTrue(client.ping(b"are you there").wait(PATIENCE))
        client.close(1000, "done")
        self.assertEqual((client.protocol.close_rcvd.code, client.protocol.close_rcvd_then_sent), (1000, False))

    def test_too_long_a_message_closes_with_1009(self):
        client, _ = self.open()
        client.send(json.dumps({"type": "ping", "ref": "x" * 70_000}))
        with self.assertRaises(ConnectionClosed) as closed:
            client.recv(PATIENCE)
        self.assertEqual(closed.exception.rcvd.code, 1009)

    def test_a_foreign_origin_is_refused_before_the_upgrade(self):
        with deskbell.server() as address:
            with self.assertRaises(InvalidStatus) as refused:
                connect(f"ws://{address}/v1/ws", origin="https://elsewhere.example", open_timeout=PATIENCE)
        self.assertEqual(refused.exception.response.status_code, 403)
        self.assertEqual(json.loads(refused.exception.response.body)["code"], "bad_origin")


class Wsproto(Foreign):
    """A state machine on a socket of our own: every byte of the handshake and the frames is the library's."""

    def setUp(self):
        host, port = self.address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=PATIENCE)
        self.addCleanup(self.socket.close)
        self.client = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self.send(wsproto.events.Request(host=self.address, target="/v1/ws"))
        self.queue = []
        self.assertIsInstance(self.next(), wsproto.events.AcceptConnection)
        self.assertEqual(json.loads(self.next().data)["type"], "welcome")

    def send(self, event):
        """Sends what the library makes of an event."""
        self.socket.sendall(self.client.send(event))

    def next(self):
        """The next event."""
        while not self.queue:
            self.client.receive_data(self.socket.recv(65_536) or None)
            self.queue.extend(self.client.events())
        return self.queue.pop(0)

    def test_a_message_byte_by_byte(self):
        for byte in self.client.send(wsproto.events.TextMessage('{"type":"ping","ref":7}')):
            self.socket.sendall(bytes([byte]))
        self.assertEqual(json.loads(self.next().data), {"type": "pong", "ref": 7})

    def test_a_ping_between_two_fragments(self):
        self.send(wsproto.events.TextMessage('{"type":"pi', message_finished=False))
        self.send(wsproto.events.Ping(b"now"))
        self.send(wsproto.events.TextMessage('ng"}', message_finished=True))
        pong = self.next()
        self.assertIsInstance(pong, wsproto.events.Pong)
        self.assertEqual(bytes(pong.payload), b"now")
        self.assertEqual(json.loads(self.next().data), {"type": "pong"})

    def test_the_close_is_answered_and_the_socket_ends(self):
        self.send(wsproto.events.CloseConnection(code=4000, reason="bye"))
        closed = self.next()
        self.assertIsInstance(closed, wsproto.events.CloseConnection)
        self.assertEqual(self.socket.recv(1), b"")

    def test_text_that_is_no_utf8_closes_with_1007(self):
        # A masked text frame of two bytes, the mask zero.
        self.socket.sendall(b"\x81\x82\0\0\0\0\xc3\x28")
        closed = self.next()
        self.assertIsInstance(closed, wsproto.events.CloseConnection)
        self.assertEqual(closed.code, 1007)

    def test_a_frame_without_a_mask_closes_with_1002(self):
        # No client library sends one: a ping of the dialect, as a server would frame it.
        text = b'{"type":"ping"}'
        self.socket.sendall(bytes([0x81, len(text)]) + text)
        closed = self.next()
        self.assertIsInstance(closed, wsproto.events.CloseConnection)
        self.assertEqual(closed.code, 1002)


if __name__ == "__main__":
    unittest.main()
