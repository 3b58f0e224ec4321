"""PyPI's `pusher` against the server: it sends `body_md5` with every request, also those without a body, and it leaves
the app out of one path."""

import hashlib
import json
import pathlib
import sys
import unittest

import pusher
import websockets.sync.client

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)


class Listener:
    """A client of the dialect, by hand."""

    def __init__(self, address):
        self.socket = websockets.sync.client.connect(f"ws://{address}/app/key?protocol=7")
        self.id = json.loads(self.next("pusher:connection_established")["data"])["socket_id"]

    def next(self, event):
        while True:
            frame = json.loads(self.socket.recv(timeout=10))
            if frame["event"] == event:
                return frame

    def subscribe(self, backend, channel, custom=None):
        signed = backend.authenticate(channel, self.id, custom) if channel.startswith("p") else {}
        data = {"channel": channel, **signed}
        self.socket.send(json.dumps({"event": "pusher:subscribe", "data": data}))
        return self.next("pusher_internal:subscription_succeeded")


class Backend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.running = deskbell.server()
        cls.address = cls.running.__enter__()
        host, port = cls.address.split(":")
        cls.backend = pusher.Pusher(app_id="1001", key="key", secret=deskbell.SECRET, host=host, port=int(port), ssl=False)

    @classmethod
    def tearDownClass(cls):
        cls.running.__exit__(None, None, None)

    def listener(self):
        listener = Listener(self.address)
        self.addCleanup(listener.socket.close)
        return listener

    def test_a_trigger_arrives(self):
        listener = self.listener()
        listener.subscribe(self.backend, "news")
        self.assertEqual(self.backend.trigger("news", "said", {"text": "Grüße"}), {})
        self.assertEqual(json.loads(listener.next("said")["data"]), {"text": "Grüße"})

    def test_a_signature_with_blanks_in_its_data_is_taken(self):
        listener = self.listener()
        told = listener.subscribe(self.backend, "presence-py", {"user_id": "7", "user_info": {"name": "A/B"}})
        self.assertEqual(json.loads(told["data"])["presence"]["hash"], {"7": {"name": "A/B"}})
        private = self.listener()
        private.subscribe(self.backend, "private-py", {"user_id": "7"})

    def test_questions_carry_the_hash_of_no_body(self):
        listener = self.listener()
        listener.subscribe(self.backend, "presence-asked", {"user_id": "9"})
        self.assertEqual(hashlib.md5(b"").hexdigest(), "d41d8cd98f00b204e9800998ecf8427e")
        listed = self.backend.channels_info("presence-asked", ["user_count"])
        self.assertEqual(listed["channels"], {"presence-asked": {"user_count": 1}})
        self.assertEqual(self.backend.channel_info("presence-asked", ["user_count"])["user_count"], 1)
        self.assertEqual(self.backend.users_info("presence-asked"), {"users": [{"id": "9"}]})
        self.assertIs(self.backend.channel_info("nobody")["occupied"], False)

    def test_a_batch_arrives_in_order(self):
        listener = self.listener()
        listener.subscribe(self.backend, "batch")
        self.backend.trigger_batch([{"channel": "batch", "name": "e", "data": {"n": n}} for n in range(10)])
        self.assertEqual([json.loads(listener.next("e")["data"])["n"] for _ in range(10)], list(range(10)))

    def test_a_user_is_ended(self):
        listener = self.listener()
        user_data = json.dumps({"id": "py"})
        signed = self.backend.authenticate_user(listener.id, {"id": "py"})
        listener.socket.send(json.dumps({"event": "pusher:signin", "data": signed or user_data}))
        listener.next("pusher:signin_success")
        self.backend.terminate_user_connections("py")
        with self.assertRaises(websockets.exceptions.ConnectionClosed) as closed:
            while True:
                listener.socket.recv(timeout=10)
        self.assertEqual(closed.exception.rcvd.code, 4009)

    def test_a_wrong_secret_is_told_so(self):
        host, port = self.address.split(":")
        wrong = pusher.Pusher(app_id="1001", key="key", secret="wrong", host=host, port=int(port), ssl=False)
        with self.assertRaises(pusher.errors.PusherBadAuth):
            wrong.trigger("news", "said", {})


if __name__ == "__main__":
    unittest.main()
