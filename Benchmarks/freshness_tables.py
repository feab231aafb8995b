"""What `freshness` measured, as tables and targets."""

import freshness
from measurements import (
    COMMIT_P50,
    COMMIT_P99,
    HIT_RATIO,
    PROCESSOR,
    QUERIES_A_SECOND,
    READ_P50,
    READ_P99,
    SERVER_TIME,
    TELLING_TIME,
    THROUGHPUT,
    TOLD_P50,
    TOLD_P99,
    spread,
)
from sections import HITS_ONE, HITS_PIPELINED
from servers import SIDECAR
from tables import Table, Target

#: Milliseconds, idle and beside other writes.
DELAY_BOUNDS = {0: 2, 1_000: 10}
KEYS_A_SECOND = 200_000
#: Two measurements of the same differ by as much.
HIT_COST_BOUND = 1.03


def targets(measured):
    for source in freshness.SOURCES:
        for writes, bound in DELAY_BOUNDS.items():
            case = freshness.delay_case(source, writes)
            values = measured.get(case, SIDECAR, TOLD_P99)
            yield Target(f"freshness: COMMIT to invalidated, p99, {case}", values, bound, True, " ms")
    for source in freshness.SOURCES:
        values = measured.get(source, SIDECAR, THROUGHPUT)
        yield Target(f"freshness: keys a second, {source}", values, KEYS_A_SECOND, False, form="{:,.0f}")
    for source in freshness.SOURCES:
        values = _hit_ratios(measured, HITS_ONE, source)
        yield Target(f"freshness: a hit with an idle stream / without, {source}", values, HIT_COST_BOUND, True)


def tables(measured):
    made = [_delays(measured), _writers(measured), _backlog(measured), _hits(measured), _zipf(measured)]
    return [table for table in made if table.rows]


def _delays(measured):
    rows = []
    for source in freshness.SOURCES:
        for writes in freshness.WRITES:
            case = freshness.delay_case(source, writes)
            if measured.get(case, SIDECAR, TOLD_P50):
                quantities = (COMMIT_P50, COMMIT_P99, TOLD_P50, TOLD_P99, READ_P50, READ_P99)
                rows.append([case, *(spread(measured.get(case, SIDECAR, of)) for of in quantities)])
    head = ["source", "answered: p50 ms", "p99 ms", "invalidated: p50 ms", "p99 ms", "next read is new: p50 ms", "p99 ms"]
    return Table("Freshness: from sending COMMIT until", head, rows)


def _writers(measured):
    rows = []
    without = (freshness.WITHOUT, "pgbench", THROUGHPUT)
    for source in (freshness.WITHOUT, *freshness.SOURCES):
        rate = (source, "pgbench", THROUGHPUT)
        if measured.get(*rate):
            ratio = spread(measured.ratio(rate, without))
            update = spread(measured.get(source, "pgbench", SERVER_TIME), "{:.1f}")
            rows.append([source, spread(measured.get(*rate), "{:,.0f}"), ratio, update])
    head = ["source", "transactions a second", "/ without", "server µs of a one-row UPDATE"]
    return Table("Freshness: what writers pay (pgbench -N -M prepared -c 4, no wait for a disk)", head, rows)


def _backlog(measured):
    rows = []
    for source in freshness.SOURCES:
        rate, *processor = (measured.get(source, SIDECAR, of) for of in (THROUGHPUT, PROCESSOR, TELLING_TIME))
        if rate:
            costs = [spread([value / 1000 for value in values]) for values in processor]
            rows.append([source, spread(rate, "{:,.0f}"), *costs])
    head = ["source", "keys a second", "sidecar's processor µs a key", "of the server's process that tells"]
    return Table("Freshness: invalidations from one stream", head, rows)


def _hit_ratios(measured, case, source):
    return measured.ratio((case, source, PROCESSOR), (case, freshness.WITHOUT, PROCESSOR))


def _hits(measured):
    rows = []
    for case in (HITS_ONE, HITS_PIPELINED):
        for source in (freshness.WITHOUT, *freshness.SOURCES):
            processor = measured.get(case, source, PROCESSOR)
            if processor:
                cost = spread([value / 1000 for value in processor])
                rows.append([case, source, cost, spread(_hit_ratios(measured, case, source), "{:.3f}")])
    title = "Freshness: a hit beside an idle stream"
    return Table(title, ["hits", "source", "processor µs an operation", "/ without"], rows)


def _zipf(measured):
    rows = []
    for case in freshness.ZIPF_CASES:
        ratio = measured.get(case, SIDECAR, HIT_RATIO)
        if ratio:
            queries = spread(measured.get(case, SIDECAR, QUERIES_A_SECOND), "{:,.0f}")
            rows.append([case, spread(ratio), queries])
    title = (
        f"Freshness: {freshness.ZIPF_READS:,} reads and {freshness.ZIPF_WRITES} writes a second"
        f" of {freshness.ZIPF_KEYS:,} keys by a Zipf law"
    )
    return Table(title, ["group", "hits %", "queries a second"], rows)
