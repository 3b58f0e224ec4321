#!/bin/sh
# Every fuzz target for some seconds, guided by coverage: run.sh SECONDS [TARGET...]
# What it finds interesting is kept in fuzz/corpus, what breaks a target in fuzz/artifacts; neither is committed.
set -eu
cd "$(dirname "$0")"
seconds=$1
shift
command -v cargo-fuzz >/dev/null || cargo install cargo-fuzz --locked
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)
failed=0
for target in "$@"; do
    mkdir -p "corpus/$target"
    # The stable compiler can instrument, too; it only wants to be told that this is meant.
    # The sanitizer would need another standard library, and there is hardly any unsafe code for it to watch.
    RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --features guided --sanitizer none --target-dir target "$target" \
        "corpus/$target" "seeds/$target" -- -max_total_time="$seconds" -max_len=20000 -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 || failed=$((failed + 1))
done
echo "RESULT fuzz-guided: $(($# - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
