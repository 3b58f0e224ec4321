#!/bin/sh
# Is the WebSocket server there, and does it answer? Where not, it is started again. Exit code 0 if it answers at the
# end, 1 if it does not. For cron: see websocket_cron.
set -u
here=$(cd "$(dirname "$0")" && pwd)
log=${WS_HEALTH_LOG:-/var/log/apache2/websocket_health.log}

note() {
    echo "$(date '+%Y-%m-%d %H:%M:%S') - $1" >>"$log"
}

answers() {
    "$here/ws" status | grep -q 'is listening'
}

answers && exit 0
note "WebSocket server does not answer; starting it again"
# One that is there and does not answer is not mended by a second one.
"$here/ws" restart >>"$log" 2>&1
if answers; then
    note "WebSocket server answers again"
    exit 0
fi
note "WebSocket server could not be started; see its log"
exit 1
