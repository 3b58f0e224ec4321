"""send_notification.php in each of its three ways: a real Redis, a real socket, a real folder."""

import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import threading
import time
import unittest

SCRIPT = pathlib.Path(__file__).with_name("send_notification.php")
# As crates/wire/src/portico/spool.rs reads names.
NAME = re.compile(r"^websocket_notification_[0-9.]{1,30}\.json$")


def send(*arguments, **settings):
    """Runs the command; gives its exit code and what it printed."""
    environment = {"PATH": os.environ["PATH"], **settings}
    done = subprocess.run(["php", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout


class Redis:
    """A Redis of its own on a free port; with an empty password it asks for none."""

    def __init__(self, password="pw"):
        self.password = password

    def __enter__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        command += ["--requirepass", self.password] if self.password else []
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("Redis does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def settings(self):
        return {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(self.port), "REDIS_PASSWORD": self.password}

    def subscriber(self):
        """A connection that hears `notifications`."""
        heard = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        login = f"AUTH {self.password}\r\n" if self.password else ""
        heard.sendall(f"{login}SUBSCRIBE notifications\r\n".encode())
        seen = b""
        while b"subscribe\r\n" not in seen:
            seen += heard.recv(4096)
        return heard


class Http:
    """A server that keeps what is posted to it and answers with one status."""

    def __init__(self, status):
        kept = self.posts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.append((self.path, self.headers["Authorization"], json.loads(body)))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def settings(self):
        url = f"http://127.0.0.1:{self.server.server_port}"
        return {"DESKBELL_URL": url, "DESKBELL_APP_SECRET": "s"}

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sending(unittest.TestCase):
    def test_redis_delivers_where_somebody_listens(self):
        with Redis() as redis, redis.subscriber() as heard:
            code, said = send("Hello", "alert", '{"id":7}', **redis.settings())
            self.assertEqual((code, said), (0, "Notification sent successfully\n"))
            text = heard.recv(65536).decode()
        message = json.loads(text[text.index("{"):text.rindex("}") + 1])
        self.assertEqual((message["type"], message["message"], message["data"]), ("alert", "Hello", {"id": 7}))
        self.assertTrue(message["id"].startswith("php_"))

    def test_null_as_a_password_means_none(self):
        with Redis(password="") as redis, redis.subscriber():
            for nothing in ("null", ""):
                self.assertEqual(send("Hello", **{**redis.settings(), "REDIS_PASSWORD": nothing})[0], 0, nothing)

    def test_nobody_at_redis_is_not_delivered_and_http_is_next(self):
        http_server = Http(200)
        with Redis() as redis:
            code, _ = send("Hello", **redis.settings())
            self.assertEqual(code, 1, "nobody was listening")
            code, _ = send("Hello", **redis.settings(), **http_server.settings())
            wrong = {**redis.settings(), "REDIS_PASSWORD": "other"}
            self.assertEqual(send("Hello", **wrong, **http_server.settings())[0], 0)
        http_server.close()
        self.assertEqual(code, 0)
        path, authorization, message = http_server.posts[0]
        self.assertEqual((path, authorization, message["data"]), ("/wss-publish", "Bearer s", {}))

    def test_a_server_that_refuses_leaves_it_to_a_file_that_is_whole(self):
        refusing = Http(503)
        with tempfile.TemporaryDirectory() as folder:
            code, _ = send("Hellö", **refusing.settings(), DESKBELL_SPOOL=folder)
            names = os.listdir(folder)
            self.assertEqual((code, len(names)), (0, 1))
            self.assertRegex(names[0], NAME)
            message = json.loads(pathlib.Path(folder, names[0]).read_text())
        refusing.close()
        self.assertEqual(message["message"], "Hellö")
        self.assertEqual(message["id"], refusing.posts[0][2]["id"], "the same message by another way")

    def test_without_a_way_it_says_so(self):
        self.assertEqual(send("Hello"), (1, "Failed to send notification\n"))
        self.assertEqual(send("Hello", DESKBELL_SPOOL="/nowhere"), (1, "Failed to send notification\n"))
        self.assertEqual(send("Hello", REDIS_HOST="127.0.0.1", REDIS_PORT="1"), (1, "Failed to send notification\n"))

    def test_the_command_says_how_it_is_used(self):
        code, said = send()
        self.assertEqual(code, 1)
        self.assertIn("Usage:", said)
        self.assertEqual(send("Hello", "alert", "{"), (1, "Error: Invalid JSON data\n"))

    def test_a_page_that_includes_it_sends_nothing_by_itself(self):
        code = f"require '{SCRIPT}'; var_dump(sendWebSocketNotification('x', ['a' => 1], 'chat', '127.0.0.1', 1));"
        done = subprocess.run(["php", "-r", code], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
        self.assertEqual(done.stdout, "bool(false)\n")


if __name__ == "__main__":
    unittest.main()
