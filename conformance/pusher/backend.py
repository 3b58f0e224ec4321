"""PyPI's `pusher` as the backend of the story: one request a line on standard input, one answer a line back."""

import json
import os
import sys

import pusher

BACKEND = pusher.Pusher(
    app_id="1001", key="key", secret=os.environ["SECRET"], host=os.environ["HOST"], port=int(os.environ["PORT"]), ssl=False,
    encryption_master_key_base64=os.environ["MASTER_KEY"])


def trigger(channels, event, data, more):
    if "info" in more:
        # This library cannot ask with a trigger.
        return None
    return BACKEND.trigger(channels, event, data, more.get("socket_id"))


def attributes(params):
    return params["info"].split(",") if "info" in params else []


def authorize(socket, channel, who):
    shown = {"user_id": who["user"]}
    if "info" in who:
        shown["user_info"] = {"name": who["info"]}
    return BACKEND.authenticate(channel, socket, shown if channel.startswith("presence-") else None)


def authenticate(socket, who):
    user = {"id": who["user"]}
    if "watchlist" in who:
        user["watchlist"] = who["watchlist"].split(",")
    return BACKEND.authenticate_user(socket, user)


def text(value):
    """This library gives the secret of an encrypted channel as bytes."""
    return value.decode()


def webhook(headers, body):
    told = BACKEND.validate_webhook(headers["x-pusher-key"], headers["x-pusher-signature"], body)
    return told["events"]


ACTS = {
    "trigger": trigger, "authorize": authorize, "authenticate": authenticate, "webhook": webhook,
    "batch": lambda batch: BACKEND.trigger_batch(batch),
    "sendToUser": lambda user, event, data: BACKEND.send_to_user(user, event, data),
    "terminate": lambda user: BACKEND.terminate_user_connections(user),
    "channels": lambda params: BACKEND.channels_info(params.get("filter_by_prefix", ""), attributes(params)),
    "channel": lambda name, params: BACKEND.channel_info(name, attributes(params)),
    "users": lambda name: BACKEND.users_info(name),
}

for line in sys.stdin:
    asked = json.loads(line)
    try:
        said = {"is": ACTS[asked["name"]](*asked["with"])}
    except Exception as error:  # whatever the library throws is the story's to judge
        said = {"failed": f"{type(error).__name__}: {error}"}
    print(json.dumps(said, default=text), flush=True)
