"""The measurements themselves, one function a section. What each means is told in docs/benchmarks.md."""

import csv
import io
import itertools
import json
import time
from dataclasses import dataclass

import processes
from measurements import (
    ENTRY,
    FIRST_HIT,
    IDLE_CORE,
    IDLE_RESIDENT,
    P50,
    P99,
    PROCESSOR,
    QUERIES,
    THROUGHPUT,
    TOLD,
    TOLD_OF_OWN,
)
from servers import REDIS, SIDECAR, Floor, Redis, Sidecar, command, redis_program

# Cases, by the names that the report prints.
HITS_ONE = "50 connections, one by one"
HITS_PIPELINED = "50 connections, pipelined by 16"
HITS_THOUSAND = "1,000 connections, one by one"

MISSES_JUDGED = "50 connections, GET pipelined by 16"
BATCHED_GET = "50 connections, GET pipelined by 16, in batches, 2 threads"
BATCHED_MGET = "50 connections, MGET of 50, in batches, 2 threads"
#: What the targets are judged by, and the same with two threads, which pgbench can use when cores are free.
PGBENCH = "pgbench -S -M prepared -c 4"
PGBENCH_TWO_THREADS = "pgbench -S -M prepared -c 4 -j 2"

MEMORY_WIRE_16 = "keys of 16 bytes with the group's name"
MEMORY_ARGUMENT_16 = "keys of 18 bytes, 16 of them the argument"

START = "cold start"
IDLE = "idle"

HIT_KEYS = 100_000
HIT_VALUE_BYTES = 64
ENTRY_VALUE_BYTES = 100


@dataclass
class Sizes:
    """How much is done in one round."""

    rounds: int
    hits_one: int
    hits_pipelined: int
    misses: int
    pgbench_seconds: int
    entries: int
    starts: int
    idle_seconds: int
    open_seconds: float
    open_least_arrivals: int  # a slow schedule lasts longer, so that its p99 is of some arrivals
    neighbours_seconds: float
    commits: int
    told_rows: int
    zipf_seconds: int
    generator_seconds: float
    scrapes_seconds: float


FULL = Sizes(5, 500_000, 3_000_000, 400_000, 8, 1_000_000, 10, 10, 0.8, 4_000, 3, 800, 500_000, 10, 4, 10)
QUICK = Sizes(2, 100_000, 500_000, 60_000, 2, 100_000, 3, 2, 0.2, 200, 1.5, 100, 100_000, 2, 1, 2)


@dataclass
class Bench:
    """What every section needs."""

    tools: object  # the compiled programs in C
    folder: str  # sockets, settings and logs
    database: object  # None when pgsidecar is left out and no section needs it
    sidecar: str  # the pgsidecar program, or None
    threads: int
    sizes: Sizes
    measured: object
    realtime: bool = False  # what an open load measures runs before all ordinary work of the machine

    def start_sidecar(self, threads=None, **options):
        return Sidecar(self.sidecar, self.folder, self.database, threads or self.threads, **options)

    def ask_distinct(self, server, prefix, keys, *more):
        """Asks `server` for each of `keys` keys once and returns what Benchmarks/distinct.c printed."""
        arguments = [self.tools.distinct, "-s", server.socket_path, "-p", prefix, "-n", str(keys), *map(str, more)]
        printed = processes.run(arguments, accept=(0, 1))
        result = json.loads(printed)
        wrong = result["nils"] + result["errors"] + result["wrong_length"]
        if wrong > 0:
            raise processes.Failure(f"{server.name}: {wrong} wrong replies to `{' '.join(arguments)}`: {printed}")
        return result

    def rounds(self, what):
        """The numbers of the rounds, each told as it begins."""
        for number in range(self.sizes.rounds):
            self.note(f"{what}, round {number + 1} of {self.sizes.rounds}")
            yield number

    def note(self, *words):
        print(time.strftime("%H:%M:%S"), *words, flush=True)


def start_with_hits(bench):
    """The servers that are compared, each with all the keys of `hits` in memory."""
    request_bytes = len(command("GET", "m:" + "0" * 12))
    floor = Floor(bench.tools, bench.folder, request_bytes, HIT_VALUE_BYTES)
    redis = Redis(bench.folder)
    redis.fill((f"m:{number:012d}" for number in range(HIT_KEYS)), b"v" * HIT_VALUE_BYTES)
    if not bench.sidecar:
        return [floor, redis]
    sidecar = bench.start_sidecar()
    bench.ask_distinct(sidecar, "m:", HIT_KEYS, "-o", 0, "-w", 12, "-l", HIT_VALUE_BYTES, "-P", 16)
    return [floor, redis, sidecar]


def hits(bench):
    """GET of keys that are in memory, by redis-benchmark, the servers in turn."""
    running = start_with_hits(bench)
    sizes = bench.sizes
    cases = [
        (HITS_ONE, 50, 1, sizes.hits_one),
        (HITS_PIPELINED, 50, 16, sizes.hits_pipelined),
        (HITS_THOUSAND, 1000, 1, sizes.hits_one),
    ]
    try:
        for _ in bench.rounds("hits"):
            for case, connections, pipeline, operations in cases:
                for server in running:
                    hits_once(bench, case, server, connections, pipeline, operations)
    finally:
        for server in running:
            server.stop()


def redis_benchmark(server, connections, pipeline, operations, **options):
    """What redis-benchmark prints of GETs of the keys of `hits`, by the names of its columns."""
    arguments = [redis_program("redis-benchmark"), "-s", server.socket_path, "-c", str(connections)]
    arguments += ["-n", str(operations), "-P", str(pipeline), "-r", str(HIT_KEYS), "--csv", "GET", "m:__rand_int__"]
    return list(csv.DictReader(io.StringIO(processes.run(arguments, **options))))[-1]


def hits_once(bench, case, server, connections, pipeline, operations):
    before = server.process.processor_ns()
    row = redis_benchmark(server, connections, pipeline, operations)
    spent = server.process.processor_ns() - before
    server.process.require_alive()
    bench.measured.add(case, server.name, PROCESSOR, spent / operations)
    bench.measured.add(case, server.name, THROUGHPUT, float(row["rps"]))
    bench.measured.add(case, server.name, P50, float(row["p50_latency_ms"]))
    bench.measured.add(case, server.name, P99, float(row["p99_latency_ms"]))


#: Cases of misses: name, the key's group, how Benchmarks/distinct.c asks, and pgsidecar's threads (None: as told).
MISSES = [
    ("50 connections, GET one by one", "account:", ["-P", 1], None),
    (MISSES_JUDGED, "account:", ["-P", 16], None),
    ("50 connections, GET pipelined by 32", "account:", ["-P", 32], None),
    ("50 connections, MGET of 50", "account:", ["-m", 50], None),
    ("50 connections, GET of the whole row, pipelined by 16", "account_row:", ["-P", 16], None),
    ("50 connections, GET pipelined by 16, in batches", "batched:", ["-P", 16], None),
    ("50 connections, MGET of 50, in batches", "batched:", ["-m", 50], None),
    (BATCHED_GET, "batched:", ["-P", 16], 2),
    (BATCHED_MGET, "batched:", ["-m", 50], 2),
]


def misses(bench):
    """Every key distinct and none in memory, against pgbench on the same table."""
    bench.note("misses: making the accounts")
    bench.database.make_accounts()
    for _ in bench.rounds("misses"):
        for case, threads in ((PGBENCH, 1), (PGBENCH_TWO_THREADS, 2)):
            selects = bench.database.selects_per_second(threads, bench.sizes.pgbench_seconds)
            bench.measured.add(case, "pgbench", THROUGHPUT, selects)
        if bench.sidecar:
            for threads, cases in itertools.groupby(MISSES, key=lambda case: case[3]):
                _misses_of(bench, threads, list(cases))
        else:
            _driver_alone(bench)


def _misses_of(bench, threads, cases):
    sidecar = bench.start_sidecar(threads=threads, groups=Sidecar.ACCOUNTS)
    try:
        # Connections are made, statements prepared and memory is there before anything is counted.
        for prefix in sorted({prefix for _, prefix, _, _ in cases}):
            bench.ask_distinct(sidecar, prefix, bench.sizes.misses // 4, "-P", 16)
        for case, prefix, shape, _ in cases:
            _misses_once(bench, sidecar, case, prefix, shape)
    finally:
        sidecar.stop()


def _misses_once(bench, sidecar, case, prefix, shape):
    keys = bench.sizes.misses
    sidecar.forget_all()
    bench.database.forget_statistics()
    sent_again = sidecar.info("database", "database_loads_retried")
    before = sidecar.process.processor_ns()
    result = bench.ask_distinct(sidecar, prefix, keys, *shape)
    spent = sidecar.process.processor_ns() - before
    queries, rows = bench.database.account_reads()
    # Where the machine has a server process stand still, what was sent behind its query is sent to another, too.
    sent_again = sidecar.info("database", "database_loads_retried") - sent_again
    if not keys <= rows <= keys + sent_again:
        raise processes.Failure(f"{keys} distinct keys brought {rows} rows from PostgreSQL ({case})")
    bench.measured.add(case, SIDECAR, THROUGHPUT, result["keys_per_second"])
    bench.measured.add(case, SIDECAR, PROCESSOR, spent / keys)
    bench.measured.add(case, SIDECAR, QUERIES, queries / keys)


def _driver_alone(bench):
    """Without pgsidecar: what the driver itself can ask, shown on keys that redis-server has in memory."""
    redis = Redis(bench.folder)
    keys = bench.sizes.misses
    redis.fill((f"account:{number}" for number in range(1, keys + 1)), b"0")
    for case, prefix, shape, _ in MISSES:
        if prefix == "account:":
            result = bench.ask_distinct(redis, prefix, keys, "-l", 1, *shape)
            bench.measured.add(case, REDIS, THROUGHPUT, result["keys_per_second"])
    redis.stop()


def memory(bench):
    """What a million entries add to the process. Measured once: it does not vary as times do."""
    for case, digits in ((MEMORY_WIRE_16, 14), (MEMORY_ARGUMENT_16, 16)):
        bench.note(f"memory: {bench.sizes.entries:,} entries, {case}")
        redis = Redis(bench.folder)
        keys = (f"m:{number:0{digits}d}" for number in range(1, bench.sizes.entries + 1))
        _memory_of(bench, case, redis, lambda: redis.fill(keys, b"v" * ENTRY_VALUE_BYTES))
        if bench.sidecar:
            sidecar = bench.start_sidecar(groups=Sidecar.VALUES_OF_100_BYTES)
            # One entry first, so that connections and their buffers are there before the growth is counted.
            bench.ask_distinct(sidecar, "m:", 1, "-o", 0, "-w", digits, "-c", 1)
            shape = ["-w", digits, "-P", 16, "-l", ENTRY_VALUE_BYTES]
            _memory_of(bench, case, sidecar, lambda: bench.ask_distinct(sidecar, "m:", bench.sizes.entries, *shape))


def _memory_of(bench, case, server, fill):
    try:
        entries_before, before = server.entries(), server.process.resident_bytes()
        fill()
        time.sleep(0.5)
        entries, after = server.entries() - entries_before, server.process.resident_bytes()
        if entries != bench.sizes.entries:
            raise processes.Failure(f"{server.name} holds {entries} entries of {bench.sizes.entries}")
        bench.measured.add(case, server.name, ENTRY, (after - before) / entries)
        used = server.info("memory", "used_memory")
        if used is not None:
            bench.measured.add(case, server.name, TOLD, used / after)
            bench.measured.add(case, server.name, TOLD_OF_OWN, used / server.process.own_bytes())
    finally:
        server.stop()


def start(bench):
    """From exec to the first hit, then what an idle process holds and does."""
    bench.note("cold start and idle")
    for _ in range(bench.sizes.starts):
        began = time.monotonic()
        _first_hit(bench, Redis(bench.folder, wait=False), began, b"$-1\r\n")
        if bench.sidecar:
            began = time.monotonic()
            _first_hit(bench, bench.start_sidecar(wait=False), began, b"$64\r\n")
    _idle(bench, Redis(bench.folder))
    if bench.sidecar:
        sidecar = bench.start_sidecar()

        def connected():
            return bench.database.client_connections() >= 4

        processes.wait_until("4 database connections", connected, sidecar.process)
        _idle(bench, sidecar)


def _first_hit(bench, server, began, answer):
    """Asks until it is answered, and once more: the second answer is from memory. redis-server has no such key."""
    request = command("GET", "m:" + "0" * 12)

    def answered():
        try:
            with server.connect() as client, client.makefile("rwb") as stream:
                for _ in range(2):
                    stream.write(request)
                    stream.flush()
                    if stream.readline() != answer:
                        return False
                    if answer != b"$-1\r\n":
                        stream.read(HIT_VALUE_BYTES + 2)
                return True
        except OSError:
            return False

    try:
        processes.wait_until(f"the first hit of {server.name}", answered, server.process, pause=0.001)
        bench.measured.add(START, server.name, FIRST_HIT, (time.monotonic() - began) * 1000)
    finally:
        server.stop()


def _idle(bench, server):
    try:
        time.sleep(1)
        before = server.process.processor_ns()
        time.sleep(bench.sizes.idle_seconds)
        spent = server.process.processor_ns() - before
        server.process.require_alive()
        bench.measured.add(IDLE, server.name, IDLE_RESIDENT, server.process.resident_bytes() / 2**20)
        bench.measured.add(IDLE, server.name, IDLE_CORE, spent / bench.sizes.idle_seconds / 1e7)
    finally:
        server.stop()


ALL = {"hits": hits, "misses": misses, "memory": memory, "start": start}
