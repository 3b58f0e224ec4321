#!/bin/sh
# Builds the servers that Deskbell is measured beside, in fixed versions, where they are missing: Sockudo takes half an
# hour at low priority, those of Socket.IO two minutes. They stay outside the tree, in DESKBELL_PEERS or
# ~/.cache/deskbell-peers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
peers=${DESKBELL_PEERS:-${HOME:?}/.cache/deskbell-peers}

if ! [ -x "$peers/sockudo/bin/sockudo" ]; then
    if ! command -v protoc >/dev/null; then
        # A part of Sockudo is generated.
        [ "$(id -u)" -eq 0 ] || { echo "bench: protoc is missing: sudo apt-get install protobuf-compiler libprotobuf-dev" >&2; exit 1; }
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends protobuf-compiler libprotobuf-dev >/dev/null
    fi
    CARGO_TARGET_DIR="$peers/target" nice cargo install sockudo --version 5.2.0 --locked --root "$peers/sockudo"
    rm -rf "$peers/target"
fi

nice cargo build --release --locked --quiet --manifest-path "$here/socketio/oxide/Cargo.toml" --target-dir "$peers/socketioxide"

mkdir -p "$peers/socket.io"
if ! cmp -s "$here/socketio/node/package-lock.json" "$peers/socket.io/installed.json"; then
    cp "$here/socketio/node/package.json" "$here/socketio/node/package-lock.json" "$peers/socket.io/"
    (cd "$peers/socket.io" && npm ci --silent --no-audit --no-fund)
    # Written last, so that an installation that breaks off is begun again.
    cp "$peers/socket.io/package-lock.json" "$peers/socket.io/installed.json"
fi
