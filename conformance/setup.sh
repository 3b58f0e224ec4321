#!/bin/sh
# Fetches the foreign clients of the conformance suites in fixed versions, where they are missing. Called by `make test`.
set -eu
cd "$(dirname "$0")"
# Absolute: the scripts that get it work in folders of their own.
work=$(cd .. && pwd)/.work
mkdir -p "$work"

./autobahn/setup.sh "$work/autobahn"

# A copy of the list that was installed stands beside it: a second run is over at once.
if ! cmp -s clients/requirements.txt "$work/python/installed.txt"; then
    rm -rf "$work/python"
    python3 -m venv "$work/python"
    "$work/python/bin/python" -m pip --disable-pip-version-check install -q -r clients/requirements.txt
    cp clients/requirements.txt "$work/python/installed.txt"
fi

if ! cmp -s package-lock.json node_modules/installed.json; then
    npm ci --silent --no-audit --no-fund
    cp package-lock.json node_modules/installed.json
fi
