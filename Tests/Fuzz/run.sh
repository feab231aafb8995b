#!/bin/sh
# Fuzzes both RESP parsers, the parser of notifications, and the parser of replication messages with what gathers transactions, with libFuzzer under the
# address sanitizer: run.sh [RUNS], 200000 unless told.
# What it finds is left in .build/fuzz/crash-*.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
runs=${1:-200000}
out=$root/.build/fuzz
mkdir -p "$out/corpus" "$out/corpus-payload" "$out/corpus-pgoutput"

flags="-swift-version 6 -package-name pgsidecar -O -parse-as-library -sanitize=fuzzer,address -enable-experimental-feature Lifetimes
    -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
    -enable-upcoming-feature MemberImportVisibility"
swiftc $flags -module-name RESP "$root"/Sources/RESP/*.swift "$root"/Tests/TestSupport/Reply*.swift \
    "$root/Tests/Fuzz/FuzzRESP.swift" -o "$out/fuzz-resp"

# The parsers need five files of Postgres, which are made to a small module of that name.
swiftc $flags -module-name Postgres -emit-module -emit-module-path "$out/Postgres.swiftmodule" -wmo -c \
    "$root"/Sources/Postgres/Streams/LogPosition.swift "$root"/Sources/Postgres/Streams/ReplicationFrame.swift \
    "$root"/Sources/Postgres/Keys/KeyForm.swift "$root"/Sources/Postgres/Keys/KeyForm+Output.swift \
    "$root"/Sources/Postgres/Query/SQLName.swift \
    -o "$out/postgres.o"
logical="$root/Sources/Invalidation/Logical"
mapping="$root/Sources/Invalidation/Mapping"
swiftc $flags -I "$out" -module-name FuzzPgOutput "$logical/ByteReader.swift" "$logical/PgOutputMessage.swift" \
    "$logical/Relation.swift" "$logical/RelationPlan.swift" "$logical/ChangedRow.swift" "$logical/GatheredChanges.swift" \
    "$logical/CommittedTransaction.swift" "$logical/TransactionGatherer.swift" \
    "$mapping/TableName.swift" "$mapping/TableChange.swift" "$mapping/KeyTexts.swift" \
    "$root/Tests/Fuzz/FuzzPgOutput.swift" "$out/postgres.o" -o "$out/fuzz-pgoutput"

swiftc $flags -I "$out" -module-name FuzzPayload "$root/Sources/Invalidation/Notify/NotifyPayload.swift" "$mapping/TableName.swift" \
    "$mapping/TableChange.swift" "$mapping/KeyTexts.swift" "$root/Tests/Fuzz/FuzzPayload.swift" "$out/postgres.o" -o "$out/fuzz-payload"

# New inputs go to the first corpus; the seeds are only read.
cd "$out"
./fuzz-pgoutput -runs="$runs" -seed=1 -max_len=1024 -rss_limit_mb=1024 -timeout=10 \
    corpus-pgoutput "$root/Tests/Fuzz/seeds-pgoutput"
./fuzz-payload -runs="$runs" -seed=1 -max_len=512 -rss_limit_mb=1024 -timeout=10 \
    corpus-payload "$root/Tests/Fuzz/seeds-payload"
exec ./fuzz-resp -runs="$runs" -seed=1 -max_len=512 -rss_limit_mb=1024 -timeout=10 \
    -dict="$root/Tests/Fuzz/resp.dict" corpus "$root/Tests/Fuzz/seeds"
