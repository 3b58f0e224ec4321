#!/bin/sh
# Starts the WebSocket server in the background, as `ws start` does.
exec "$(dirname "$0")/ws" start
