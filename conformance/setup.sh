#!/bin/sh
# Fetches the foreign clients of the conformance suites in fixed versions, where they are missing. Called by `make test`.
set -eu
cd "$(dirname "$0")"
# Absolute: the scripts that get it work in folders of their own.
work=$(cd .. && pwd)/.work
mkdir -p "$work"

./autobahn/setup.sh "$work/autobahn"

# A copy of the list that was installed stands beside it: a second run is over at once.
python_packages() {
    if ! cmp -s "$1" "$2/installed.txt"; then
        rm -rf "$2"
        python3 -m venv "$2"
        "$2/bin/python" -m pip --disable-pip-version-check install -q -r "$1"
        cp "$1" "$2/installed.txt"
    fi
}
python_packages clients/requirements.txt "$work/python"
python_packages api/requirements.txt "$work/schemathesis"

# The compilers of web are needed here, too: the plugin of web/sdk runs in pusher-js, and the page is held against its sources.
for folder in . ../web/sdk ../web/websocket-test; do
    (
        cd "$folder"
        cmp -s package-lock.json node_modules/installed.json && exit
        npm ci --silent --no-audit --no-fund --ignore-scripts
        cp package-lock.json node_modules/installed.json
    )
done
