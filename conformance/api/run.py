"""Schemathesis reads openapi.json and asks everything that it allows, and much that it does not: no answer may be a
failure of the server, and none may be another than the description says.

    run.py quick     as far as it comes in a minute
    run.py full      for ten minutes
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import deskbell  # noqa: E402 (the folder above must be on the path first)

SECONDS = {"quick": 45, "full": 600}
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance",
          "response_headers_conformance", "response_schema_conformance"]
# Rates would answer in place of what is tested, and a poll that waits tests nothing.
# The operator shows what the backend shows, so that every route is reached.
CONFIG = f'operator.secret = "{deskbell.SECRET}"' + """
[limit]
rate_per_address = 0
rate_per_identity = 0
connections_per_address = 0
connect_rate_per_address = 0
poll_wait = "1s"

[[webhooks]]
name = "shop"
# Nobody listens there.
url = "http://127.0.0.1:9/hook"
patience = "0"
"""
DAY = 86_400_000


def ask(address, method, path, body):
    """Asks as a backend; gives the answer."""
    request = urllib.request.Request(
        f"http://{address}/v1/{path}", json.dumps(body).encode(), method=method,
        headers={"Authorization": f"Bearer {deskbell.SECRET}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def furnish(address):
    """Makes one of everything, so that ids lead somewhere; gives the ids by the paths that take them."""
    begin = ask(address, "PUT", "resources/dr-7", {"capacity": 2, "provider": "7"})["now"] // DAY * DAY + 3 * DAY
    ask(address, "PUT", "resources/room-2", {"policy": {"approval": True}})
    claims = lambda resource, hour: [  # noqa: E731
        {"resource": resource, "start": begin + hour * 3_600_000, "end": begin + (hour + 1) * 3_600_000}]
    hold = lambda resource, hour: ask(  # noqa: E731
        address, "POST", "holds", {"claims": claims(resource, hour), "holder": f"u{hour}"})["reservation"]
    holds = [hold("dr-7", hour)["id"] for hour in range(4)]
    books = [ask(address, "POST", "bookings", {"claims": claims("dr-7", hour), "email": "a@b.test"}) for hour in range(4, 8)]
    asked = [ask(address, "POST", "bookings", {"claims": claims("room-2", hour), "holder": "9"}) for hour in range(2)]
    waits = [ask(address, "POST", "waitlist", {"claims": claims("room-2", 0), "holder": f"w{n}"}) for n in range(3)]
    ask(address, "PUT", "blocks/holidays",
        {"as_of": 1, "blocks": [{"resource": "dr-7", "start": begin + 9 * DAY, "end": begin + 10 * DAY}]})
    for number in range(20):
        ask(address, "POST", "notifications", {"users": ["7", "9"], "type": "t", "title": f"{number}", "data": [number]})
    for talk in ["81", "82"]:
        ask(address, "POST", "conversations", {"id": talk, "members": ["7", "9"], "title": "Talk", "data": {}})
        ask(address, "POST", f"conversations/{talk}/messages?user=7", {"data": "hello"})
    return {
        "/v1/conversations": ["81", "82", "nothing"],
        "/v1/resources": ["dr-7", "room-2", "nowhere"],
        "/v1/holds": [*holds, "r_1"],
        "/v1/bookings": [one["reservation"]["id"] for one in [*books, *asked]] + ["r_1"],
        "/v1/webhooks": ["shop", "nobody"],
        "/v1/waitlist": [one["wait"]["id"] for one in waits] + ["w_1"],
    }


def settings(ids):
    """What schemathesis is told."""
    # Of methods that HTTP itself does not know the door says 501, which is no failure.
    text = '[phases.coverage]\nunexpected-methods = ["PATCH", "DELETE"]\n'
    # With the key of an app that was added a moment ago a client's stream would open, which does not end.
    text += '\n[[operations]]\ninclude-path-regex = "^/pusher/app/"\nparameters = { "path.key" = ["nobody", "0x"] }\n'
    for path, known in ids.items():
        text += f'\n[[operations]]\ninclude-path-regex = "^{path}/"\nparameters = {{ "path.id" = {json.dumps(known)}, "path.name" = {json.dumps(known)} }}\n'
    return text


def main():
    program = deskbell.WORK / "schemathesis/bin/schemathesis"
    with deskbell.server(CONFIG) as address, tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "schemathesis.toml"
        file.write_text(settings(furnish(address)))
        # A stream never ends, so it is no answer to be judged; the other suites read it.
        child = subprocess.Popen(
            [program, "--config-file", file, "run", f"http://{address}/openapi.json",
             "-H", f"Authorization: Bearer {deskbell.SECRET}", "--max-time", str(SECONDS[sys.argv[1]]),
             "--checks", ",".join(CHECKS), "--exclude-path", "/v1/stream", "--continue-on-failure", "--no-color",
             # One worker: Python 3.11 counts wrong when two threads parse source at once, and ends the run with
             # "AST constructor recursion depth mismatch".
             "--request-timeout", "20", "--workers", "1", "--warnings", "off"],
            cwd=folder, stdout=subprocess.PIPE, text=True)
        passed = generated = 0
        for line in child.stdout:
            print(line, end="", flush=True)
            if found := re.search(r"(\d+) generated, (\d+) (passed|found)", line):
                generated, counted = int(found[1]), int(found[2])
                passed = counted if found[3] == "passed" else generated - counted
        status = child.wait()
    print(f"RESULT api: {passed} passed, {max(generated - passed, int(status != 0))} failed")
    return status


if __name__ == "__main__":
    sys.exit(main())
