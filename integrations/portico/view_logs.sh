#!/bin/sh
# Shows the end of the logs: view_logs.sh [LINES]
set -u
lines=${1:-50}
for log in "${WS_LOG:-/var/log/apache2/websocket.log}" "${WS_HEALTH_LOG:-/var/log/apache2/websocket_health.log}"; do
    echo "== $log"
    if [ -r "$log" ]; then tail -n "$lines" "$log"; else echo "(nothing there, or it may not be read)"; fi
done
