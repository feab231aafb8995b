"""From measurements to tables: text for a terminal, Markdown for docs/benchmarks.md."""

import os
import platform
import re
import statistics
import time

import agreement
import database
import freshness_tables
import generator
import openload
import processes
import sections
from measurements import (
    ENTRY,
    ERRORS,
    FIRST_HIT,
    IDLE_CORE,
    IDLE_RESIDENT,
    OFF_SCHEDULE,
    P50,
    P99,
    P999,
    PROCESSOR,
    QUERIES,
    THROUGHPUT,
    TOLD,
    TOLD_OF_OWN,
    USUAL_P99,
    spread,
)
from servers import FLOOR, REDIS, SIDECAR, redis_program
from tables import Table, Target


def targets(measured):
    def against_redis(case, quantity):
        return measured.ratio((case, SIDECAR, quantity), (case, REDIS, quantity))

    one, pipelined, thousand = sections.HITS_ONE, sections.HITS_PIPELINED, sections.HITS_THOUSAND
    growth = measured.ratio((thousand, SIDECAR, PROCESSOR), (one, SIDECAR, PROCESSOR))
    loads = measured.ratio(
        (sections.MISSES_JUDGED, SIDECAR, THROUGHPUT), (sections.PGBENCH, "pgbench", THROUGHPUT)
    )
    # Either way of asking may reach it, with a thread for each core: the better one by its median.
    batched = max(
        (
            measured.ratio((case, SIDECAR, THROUGHPUT), (sections.PGBENCH, "pgbench", THROUGHPUT))
            for case in (sections.BATCHED_GET, sections.BATCHED_MGET)
        ),
        key=lambda ratios: statistics.median(ratios) if ratios else 0,
    )
    entry = measured.get(sections.MEMORY_WIRE_16, SIDECAR, ENTRY)
    off, off_own = (
        [abs(ratio - 1) * 100 for ratio in measured.get(sections.MEMORY_WIRE_16, SIDECAR, told)]
        for told in (TOLD, TOLD_OF_OWN)
    )
    first_hit = measured.get(sections.START, SIDECAR, FIRST_HIT)
    return [
        Target("hits: processor time an operation / redis-server's", against_redis(one, PROCESSOR), 0.85, True),
        Target("the same, pipelined by 16", against_redis(pipelined, PROCESSOR), 0.55, True),
        Target("hits: throughput / redis-server's", against_redis(one, THROUGHPUT), 0.9, False),
        Target("the same, pipelined by 16", against_redis(pipelined, THROUGHPUT), 1, False),
        Target("hits: processor time at 1,000 connections / at 50", growth, 1.3, True),
        *_open_targets(measured),
        Target("misses: loads a second / pgbench's selects", loads, 1.3, False),
        Target("misses of a group with a batch query / pgbench's selects", batched, 4, False),
        *_neighbour_targets(measured),
        Target("memory: growth an entry", entry, 165, True, " bytes", "{:.0f}"),
        Target("memory: INFO used_memory is off the kernel's RSS by", off, 10, True, " %", "{:.1f}"),
        Target("the same without pages of files (RssAnon)", off_own, 10, True, " %", "{:.1f}"),
        Target("cold start to the first hit", first_hit, 100, True, " ms", "{:.1f}"),
        Target("idle: resident", measured.get(sections.IDLE, SIDECAR, IDLE_RESIDENT), 20, True, " MiB", "{:.1f}"),
        Target("idle: of a core", measured.get(sections.IDLE, SIDECAR, IDLE_CORE), 1, True, " %", "{:.2f}"),
        *freshness_tables.targets(measured),
        *generator.targets(measured),
        *agreement.targets(measured),
    ]


#: What an open load is judged by at each point: pgsidecar's median over redis-server's, at most.
OPEN_BOUNDS = {P50: 1, P99: 1, USUAL_P99: 1, PROCESSOR: 0.85}
OPEN_NAMES = {P50: "p50", P99: "p99", USUAL_P99: "p99 of a usual window", PROCESSOR: "processor time"}


def _open_points(measured):
    """The points that were measured: rate, connections, and by quantity the ratios to redis-server's."""
    for rate in openload.RATES:
        for connections in openload.CONNECTIONS:
            case = openload.point(rate, connections)
            ratios = {of: measured.ratio((case, SIDECAR, of), (case, REDIS, of)) for of in OPEN_BOUNDS}
            if measured.get(case, REDIS, P50):
                yield rate, connections, ratios


def _open_targets(measured):
    """One line for each quantity: its worst point decides."""
    points = [point for point in _open_points(measured) if point[2][P50]]
    for quantity, bound in OPEN_BOUNDS.items():
        what = f"open load: {OPEN_NAMES[quantity]} / redis-server's"
        if points:
            rate, connections, ratios = max(points, key=lambda point: statistics.median(point[2][quantity]))
            what += f", at the worst point: {openload.point(rate, connections)}"
            yield Target(what, ratios[quantity], bound, True)
        else:
            yield Target(what, [], bound, True)


def _neighbour_targets(measured):
    for threads in openload.NEIGHBOURS_THREADS:
        alone, beside = (openload.neighbours_case(threads, is_beside) for is_beside in (False, True))
        ratio = measured.ratio((beside, SIDECAR, P99), (alone, SIDECAR, P99))
        plural = "threads" if threads > 1 else "thread"
        yield Target(f"neighbours: p99 beside slow clients / alone, {threads} {plural}", ratio, 2, True)
        errors = measured.get(beside, SIDECAR, ERRORS)
        yield Target("the same: error replies a run", errors, 0, True, form="{:,.0f}")


def tables(measured):
    made = [_hits(measured), _latency(measured), _open_latency(measured), _open_ratios(measured)]
    made += [_misses(measured), _neighbours(measured), _memory(measured), _start(measured)]
    made += freshness_tables.tables(measured) + generator.tables(measured) + agreement.tables(measured)
    summary = Table("Targets", ["target", "wanted", "measured", ""], [target.row() for target in targets(measured)])
    return [table for table in made if table.rows] + [summary]


def _hits(measured):
    rows = []
    for case in (sections.HITS_ONE, sections.HITS_PIPELINED, sections.HITS_THOUSAND):
        for subject in (FLOOR, REDIS, SIDECAR):
            processor = measured.get(case, subject, PROCESSOR)
            if processor:
                ratio = measured.ratio((case, subject, PROCESSOR), (case, REDIS, PROCESSOR))
                operations = measured.get(case, subject, THROUGHPUT)
                faster = measured.ratio((case, subject, THROUGHPUT), (case, REDIS, THROUGHPUT))
                microseconds = [value / 1000 for value in processor]
                cells = [spread(microseconds), spread(ratio), spread(operations, "{:,.0f}"), spread(faster)]
                rows.append([case, subject, *cells])
    head = ["hits", "server", "processor µs an operation", "/ redis-server's", "operations a second"]
    head.append("/ redis-server's")
    return Table("Hits", head, rows)


def _latency(measured):
    rows = []
    for case in (sections.HITS_ONE, sections.HITS_PIPELINED, sections.HITS_THOUSAND):
        for subject in (FLOOR, REDIS, SIDECAR):
            p50, p99 = measured.get(case, subject, P50), measured.get(case, subject, P99)
            if p50:
                rows.append([case, subject, spread(p50, "{:.3f}"), spread(p99, "{:.3f}")])
    return Table("Latency of hits (as redis-benchmark saw it)", ["hits", "server", "p50 ms", "p99 ms"], rows)


def _microseconds(measured, case, subject, form="{:,.0f}"):
    """p50, p99 of a usual window, p99 and p99.9 in one cell, each the median of the rounds."""
    values = [measured.get(case, subject, quantity) for quantity in (P50, USUAL_P99, P99, P999)]
    return " / ".join(form.format(statistics.median(value) * 1000) for value in values) if values[0] else ""


def _open_latency(measured):
    rows = []
    for rate, connections, _ in _open_points(measured):
        case = openload.point(rate, connections)
        subjects = (FLOOR, REDIS, SIDECAR)
        times = [_microseconds(measured, case, subject) for subject in subjects]
        costs = [measured.get(case, subject, PROCESSOR) for subject in subjects]
        cost = " / ".join(f"{statistics.median(values) / 1000:.2f}" for values in costs if values)
        runs = [run for subject in subjects for run in measured.get(case, subject, OFF_SCHEDULE)]
        rows.append([f"{rate:,}", str(connections), *times, cost, f"{int(sum(runs))} of {len(runs)}"])
    head = ["arrivals a second", "connections"]
    head += [f"{subject}: p50 / usual p99 / p99 / p99.9 µs" for subject in (FLOOR, REDIS, SIDECAR)]
    head += ["processor µs an operation, in this order", "runs off their schedule"]
    return Table("Open load: latency of hits from the scheduled time", head, rows)


def _open_ratios(measured):
    rows = []
    for rate, connections, ratios in _open_points(measured):
        if ratios[P50]:
            judged = [Target("", ratios[quantity], bound, True) for quantity, bound in OPEN_BOUNDS.items()]
            missed = [OPEN_NAMES[of] for of, line in zip(OPEN_BOUNDS, judged) if line.verdict() == "MISS"]
            cells = [spread(line.values) for line in judged]
            rows.append([f"{rate:,}", str(connections), *cells, "MISS: " + ", ".join(missed) if missed else "pass"])
    head = ["arrivals a second", "connections"]
    head += [f"{OPEN_NAMES[quantity]} (≤ {bound:g})" for quantity, bound in OPEN_BOUNDS.items()] + [""]
    return Table("Open load: pgsidecar's / redis-server's", head, rows)


def _neighbours(measured):
    rows = []
    for threads in openload.NEIGHBOURS_THREADS:
        for beside in (False, True):
            case = openload.neighbours_case(threads, beside)
            if measured.get(case, SIDECAR, P99):
                spreads = [spread([v * 1000 for v in measured.get(case, SIDECAR, of)], "{:,.0f}") for of in (P50, P99)]
                errors, runs = measured.get(case, SIDECAR, ERRORS), measured.get(case, SIDECAR, OFF_SCHEDULE)
                rows.append([case, *spreads, f"{int(sum(errors)):,}", f"{int(sum(runs))} of {len(runs)}"])
    title = f"Neighbours: loads of a fast group, {openload.NEIGHBOURS_RATE:,} arrivals a second"
    return Table(title, ["loads", "p50 µs", "p99 µs", "error replies", "runs off their schedule"], rows)


def _misses(measured):
    base = (sections.PGBENCH, "pgbench", THROUGHPUT)
    rows = []
    for case in (sections.PGBENCH, sections.PGBENCH_TWO_THREADS):
        selects = (case, "pgbench", THROUGHPUT)
        if measured.get(*selects):
            ratio = spread(measured.ratio(selects, base))
            rows.append([case, "pgbench", spread(measured.get(*selects), "{:,.0f}"), ratio, "1", ""])
    for case, _, _, _ in sections.MISSES:
        # redis-server is asked in the place of a pgsidecar that was left out, see `sections.misses`.
        for subject, label in ((SIDECAR, SIDECAR), (REDIS, f"{REDIS} (hits: the driver's own limit)")):
            loads = measured.get(case, subject, THROUGHPUT)
            if loads:
                ratio = spread(measured.ratio((case, subject, THROUGHPUT), base))
                microseconds = [value / 1000 for value in measured.get(case, subject, PROCESSOR)]
                cost = spread(microseconds) if microseconds else ""
                queries = spread(measured.get(case, subject, QUERIES)) if microseconds else ""
                judged = " (the target's)" if case == sections.MISSES_JUDGED else ""
                rows.append([case + judged, label, spread(loads, "{:,.0f}"), ratio, queries, cost])
    head = ["misses", "by", "keys a second", "/ pgbench's", "queries a key", "processor µs a key"]
    return Table("Misses", head, rows)


def _memory(measured):
    rows = []
    for case in (sections.MEMORY_WIRE_16, sections.MEMORY_ARGUMENT_16):
        for subject in (REDIS, SIDECAR):
            growth = measured.get(case, subject, ENTRY)
            if growth:
                told = (spread(measured.get(case, subject, of), "{:.3f}") for of in (TOLD, TOLD_OF_OWN))
                rows.append([case, subject, spread(growth, "{:.1f}"), *told])
    title = f"Memory (values of {sections.ENTRY_VALUE_BYTES} bytes)"
    head = ["entries", "server", "growth of RSS, bytes an entry", "INFO used_memory / RSS", "/ RSS without pages of files"]
    return Table(title, head, rows)


def _start(measured):
    rows = []
    for subject in (REDIS, SIDECAR):
        first = measured.get(sections.START, subject, FIRST_HIT)
        if first:
            resident = spread(measured.get(sections.IDLE, subject, IDLE_RESIDENT), "{:.1f}")
            busy = spread(measured.get(sections.IDLE, subject, IDLE_CORE), "{:.2f}")
            rows.append([subject, spread(first, "{:.1f}"), resident, busy])
    head = ["server", "ms from exec to the first hit", "idle: RSS MiB", "idle: % of a core"]
    return Table("Start and idle", head, rows)


def machine(bench):
    """What the figures depend on, as pairs."""
    with open("/proc/cpuinfo") as text:
        model = re.search(r"model name\s*:\s*(.*)", text.read())
    with open("/proc/meminfo") as text:
        total = int(re.search(r"MemTotal:\s*(\d+)", text.read()).group(1)) / 2**20
    redis = re.search(r"v=(\S+)", processes.run([redis_program("redis-server"), "--version"]))
    sizes = bench.sizes
    pairs = [
        ("date", time.strftime("%Y-%m-%d")),
        ("machine", f"{os.cpu_count()} cores, {model.group(1) if model else 'unknown'}, {total:.0f} GiB"),
        ("kernel", platform.release()),
        ("redis-server", redis.group(1) if redis else "unknown"),
        ("PostgreSQL", processes.run([database.program("postgres"), "--version"]).strip().split(" ", 2)[2]),
    ]
    if bench.sidecar:
        pairs.append(("pgsidecar", processes.run([bench.sidecar, "--version"]).strip()))
        pairs.append(("pgsidecar's threads", str(bench.threads) if bench.threads else "0 (half the cores, 1 to 4)"))
    amount = f"{sizes.rounds} rounds, {sizes.hits_one:,} and {sizes.hits_pipelined:,} (pipelined) hits, "
    if bench.realtime:
        pairs.append(("open load", "under SCHED_FIFO, beside other work"))
    pairs.append(("run", amount + f"{sizes.misses:,} misses a round, {sizes.entries:,} entries"))
    return pairs


def text(bench):
    parts = [f"  {name}: {value}" for name, value in machine(bench)] + [""]
    return "\n".join(parts + [table.as_text() for table in tables(bench.measured)])


def markdown(bench):
    parts = [f"- {name}: {value}" for name, value in machine(bench)] + [""]
    return "\n".join(parts + [table.as_markdown() for table in tables(bench.measured)])
