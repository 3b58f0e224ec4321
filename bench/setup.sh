#!/bin/sh
# Builds the servers that Deskbell is measured beside, in fixed versions, where they are missing: half an hour at low
# priority. They stay outside the tree, in DESKBELL_PEERS or ~/.cache/deskbell-peers.
set -eu
peers=${DESKBELL_PEERS:-${HOME:?}/.cache/deskbell-peers}

[ -x "$peers/sockudo/bin/sockudo" ] && exit
if ! command -v protoc >/dev/null; then
    # A part of Sockudo is generated.
    [ "$(id -u)" -eq 0 ] || { echo "bench: protoc is missing: sudo apt-get install protobuf-compiler libprotobuf-dev" >&2; exit 1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends protobuf-compiler libprotobuf-dev >/dev/null
fi
CARGO_TARGET_DIR="$peers/target" nice cargo install sockudo --version 5.2.0 --locked --root "$peers/sockudo"
rm -rf "$peers/target"
