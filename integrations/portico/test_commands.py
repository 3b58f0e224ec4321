"""ws, health_check.sh and their like, with the real server: they tell the truth in each state."""

import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
BINARY = os.environ.get("BINARY_UNDER_TEST", str(HERE.parents[1] / "target/debug/deskbell"))


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        root = self.folder.name
        self.environment = {
            "PATH": os.environ["PATH"],
            "DESKBELL": BINARY,
            "DESKBELL_LISTEN": f"127.0.0.1:{self.port}",
            "DESKBELL_DATA": f"{root}/data",
            "DESKBELL_URL": f"http://127.0.0.1:{self.port}",
            "WS_RUN": f"{root}/run",
            "WS_LOG": f"{root}/websocket.log",
            "WS_HEALTH_LOG": f"{root}/health.log",
        }
        self.addCleanup(self.run_it, "ws", "stop")

    def run_it(self, command, *arguments, **settings):
        environment = {**self.environment, **settings}
        done = subprocess.run(
            [str(HERE / command), *arguments], env=environment, capture_output=True, text=True, timeout=100
        )
        return done.returncode, done.stdout

    def number(self):
        return int(pathlib.Path(self.folder.name, "run/websocket.pid").read_text())

    def test_the_server_is_started_looked_at_and_stopped(self):
        listening = f"WebSocket server is listening on port {self.port}\n"
        nothing = f"WebSocket server is not running\nWebSocket server is not listening on port {self.port}\n"
        self.assertEqual(self.run_it("ws", "status"), (0, nothing))
        code, said = self.run_it("ws", "start")
        self.assertEqual(code, 0, said)
        running = f"WebSocket server is running\nPID: {self.number()}\n{listening}"
        self.assertEqual(self.run_it("ws", "status"), (0, running))
        self.assertIn("already running", self.run_it("ws", "start")[1])
        before = self.number()
        self.assertEqual(self.run_it("ws", "restart")[0], 0)
        self.assertNotEqual(self.number(), before)
        self.assertEqual(self.run_it("ws", "stop"), (0, "WebSocket server stopped\n"))
        self.assertEqual(self.run_it("ws", "status"), (0, nothing))
        self.assertEqual(self.run_it("ws", "stop"), (0, "WebSocket server is not running\n"))
        self.assertIn(str(self.port), self.run_it("view_logs.sh")[1], "its log says where it listened")

    def test_a_server_that_was_killed_is_started_again_by_the_health_check(self):
        self.assertEqual(self.run_it("run_websocket.sh")[0], 0)
        self.assertEqual(self.run_it("health_check.sh")[0], 0)
        self.assertFalse(pathlib.Path(self.folder.name, "health.log").exists(), "what is well is not written down")
        before = self.number()
        os.kill(before, signal.SIGKILL)
        self.assertEqual(self.run_it("health_check.sh")[0], 0)
        self.assertNotEqual(self.number(), before)
        log = pathlib.Path(self.folder.name, "health.log").read_text()
        self.assertRegex(log, r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d - WebSocket server does not answer")
        self.assertIn("answers again", log)

    def test_a_server_that_stands_still_does_not_count_as_well(self):
        self.assertEqual(self.run_it("ws", "start")[0], 0)
        os.kill(self.number(), signal.SIGSTOP)
        code, said = self.run_it("ws", "status")
        self.assertEqual(code, 0)
        self.assertIn("is running\n", said)
        self.assertIn("is not listening", said)
        before = self.number()
        self.assertEqual(self.run_it("health_check.sh", WS_STOP_TIME="2")[0], 0)
        self.assertNotEqual(self.number(), before, "it was ended, and another one answers")
        self.assertIn("is listening", self.run_it("ws", "status")[1])
        os.kill(self.number(), signal.SIGSTOP)
        ended = (0, "WebSocket server did not stop in time and was ended\n")
        self.assertEqual(self.run_it("ws", "stop", WS_STOP_TIME="1"), ended)

    def test_a_number_that_is_another_programs_by_now_is_not_believed(self):
        other = subprocess.Popen(["sleep", "600"])
        self.addCleanup(other.wait)
        self.addCleanup(other.kill)
        run = pathlib.Path(self.folder.name, "run")
        run.mkdir()
        run.joinpath("websocket.pid").write_text(f"{other.pid}\n")
        self.assertIn("is not running", self.run_it("ws", "status")[1])
        self.assertEqual(self.run_it("ws", "stop"), (0, "WebSocket server is not running\n"))
        self.assertIsNone(other.poll(), "it was not ended")
        run.joinpath("websocket.pid").write_text(f"{other.pid}\n")
        self.assertEqual(self.run_it("health_check.sh")[0], 0)
        self.assertNotEqual(self.number(), other.pid)
        self.assertIsNone(other.poll())

    def test_a_port_that_somebody_else_has_is_no_server_of_ours(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.port))
            taken.listen()
            code, said = self.run_it("ws", "start")
            self.assertEqual(code, 1, said)
            nothing = f"WebSocket server is not running\nWebSocket server is not listening on port {self.port}\n"
            self.assertEqual(self.run_it("ws", "status"), (0, nothing))
            self.assertEqual(self.run_it("health_check.sh")[0], 1)
        self.assertEqual(self.run_it("health_check.sh")[0], 0, "it is free again")

    def test_the_log_is_shown_as_it_grows(self):
        self.assertEqual(self.run_it("ws", "start")[0], 0)
        command = [str(HERE / "ws"), "log"]
        with subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True) as shown:
            self.addCleanup(shown.kill)
            for line in shown.stdout:
                if "listening on" in line:
                    break
            self.assertEqual(self.run_it("ws", "stop")[0], 0)
            for line in shown.stdout:
                if "stopped cleanly" in line:
                    break
            shown.kill()

    def test_what_cannot_start_says_so(self):
        code, said = self.run_it("ws", "start", DESKBELL="/nowhere/deskbell")
        self.assertEqual(code, 1)
        self.assertIn("did not start", said)
        self.assertEqual(self.run_it("health_check.sh", DESKBELL="/nowhere/deskbell")[0], 1)

    def test_the_command_explains_itself(self):
        self.assertEqual(self.run_it("ws", "help")[0], 0)
        code, said = self.run_it("ws", "fly")
        self.assertEqual(code, 1)
        self.assertIn("start|stop|restart|status|log|help", said)


if __name__ == "__main__":
    unittest.main()
