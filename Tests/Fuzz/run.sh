#!/bin/sh
# Fuzzes both RESP parsers with libFuzzer under the address sanitizer: run.sh [RUNS], 200000 unless told.
# What it finds is left in .build/fuzz/crash-*.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
runs=${1:-200000}
out=$root/.build/fuzz
mkdir -p "$out/corpus"

swiftc -swift-version 6 -O -parse-as-library -sanitize=fuzzer,address \
    -enable-experimental-feature Lifetimes -enable-upcoming-feature ExistentialAny \
    -enable-upcoming-feature InternalImportsByDefault -enable-upcoming-feature MemberImportVisibility \
    -module-name FuzzRESP "$root"/Sources/RESP/*.swift "$root/Tests/Fuzz/FuzzRESP.swift" -o "$out/fuzz-resp"

# New inputs go to the first corpus; the seeds are only read.
cd "$out"
exec ./fuzz-resp -runs="$runs" -seed=1 -max_len=512 -rss_limit_mb=1024 -timeout=10 \
    -dict="$root/Tests/Fuzz/resp.dict" corpus "$root/Tests/Fuzz/seeds"
