"""Measurements by the generator of `pgsidecar bench`: itself beside redis-benchmark, and what scrapes take from hits."""

import contextlib
import http.client
import json
import os
import resource
import socket
import threading

import processes
from measurements import CLIENT, LATE_P99, P50, P99, P999, PROCESSOR, THROUGHPUT, spread
from sections import HIT_KEYS, HIT_VALUE_BYTES, HITS_ONE, HITS_PIPELINED, redis_benchmark
from tables import Table, Target

BENCH = "pgsidecar bench"
REDIS_BENCHMARK = "redis-benchmark"
#: By its name the number of connections, and the pipeline's depth.
ALONE = "1 connection, one by one"
CASES = {HITS_ONE: (50, 1), HITS_PIPELINED: (50, 16), ALONE: (1, 1)}

SCRAPES = "hits, {:,} a second"
WITHOUT = "nobody looks"
SCRAPED = "scraped, and pages open"
SCRAPE_RATE = 20_000
SCRAPES_A_SECOND = 10
PAGES = 4


@contextlib.contextmanager
def sidecar_with_hits(bench, **options):
    """A sidecar with all the keys of `hits` in memory, and a file that names them."""
    sidecar = bench.start_sidecar(**options)
    try:
        bench.ask_distinct(sidecar, "m:", HIT_KEYS, "-o", 0, "-w", 12, "-l", HIT_VALUE_BYTES, "-P", 16)
        keys = os.path.join(bench.folder, "keys")
        with open(keys, "w") as file:
            file.writelines(f"{number:012d}\n" for number in range(HIT_KEYS))
        yield sidecar, keys
    finally:
        sidecar.stop()


def ask(bench, sidecar, keys, *more, **options):
    """What a report of `pgsidecar bench hits` has of the sidecar, and its processor time in nanoseconds an ask."""
    arguments = [bench.sidecar, "bench", "hits", "--ways", "sidecar", "--config", sidecar.config, "--group", "m"]
    arguments += ["--keys-file", keys, "--json", "-", *map(str, more)]
    way = json.loads(processes.run(arguments, **options))["scenarios"][0]["ways"][0]
    asks = way["asks"]
    if asks["errors"] or asks["missing"] or not asks["answered"]:
        raise processes.Failure(f"`{' '.join(arguments)}` had errors or keys without a value: {asks}")
    return way, way["serverProcessorSeconds"] * 1e9 / asks["answered"]


def generator(bench):
    """The same keys of the same sidecar, asked for in a closed loop by the one and by the other in turn."""
    if not bench.sidecar:
        return
    with sidecar_with_hits(bench) as (sidecar, keys):
        for _ in bench.rounds("generator"):
            for case, shape in CASES.items():
                _generator_once(bench, sidecar, keys, case, *shape)


def _generator_once(bench, sidecar, keys, case, connections, pipeline):
    shape = ["--connections", connections, "--pipeline", pipeline, "--warm-up", 0.5]
    way, _ = ask(bench, sidecar, keys, *shape, "--duration", bench.sizes.generator_seconds)
    answered, latency = way["asks"]["answered"], way["latency"]
    bench.measured.add(case, BENCH, THROUGHPUT, answered / way["asks"]["seconds"])
    for quantity, name in ((P50, "p50"), (P99, "p99")):
        bench.measured.add(case, BENCH, quantity, latency[name] / 1000)
    bench.measured.add(case, BENCH, CLIENT, way["generatorProcessorSeconds"] * 1e9 / answered)
    before = _processor_seconds_of_children()
    row = redis_benchmark(sidecar, connections, pipeline, answered)
    spent = _processor_seconds_of_children() - before
    bench.measured.add(case, REDIS_BENCHMARK, CLIENT, spent * 1e9 / answered)
    bench.measured.add(case, REDIS_BENCHMARK, THROUGHPUT, float(row["rps"]))
    bench.measured.add(case, REDIS_BENCHMARK, P50, float(row["p50_latency_ms"]))
    bench.measured.add(case, REDIS_BENCHMARK, P99, float(row["p99_latency_ms"]))


def _processor_seconds_of_children():
    """Of those that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def scrapes(bench):
    """Hits by a schedule, in turn with nobody who looks, and with scrapes and open pages."""
    if not bench.sidecar:
        return
    admin = os.path.join(bench.folder, "admin.sock")
    case = SCRAPES.format(SCRAPE_RATE)
    with sidecar_with_hits(bench, admin=f"unix:{admin}") as (sidecar, keys):
        for _ in bench.rounds("scrapes"):
            shape = ["--rate", SCRAPE_RATE, "--connections", 50, "--duration", bench.sizes.scrapes_seconds]
            for subject in (WITHOUT, SCRAPED):
                with _looking(admin) if subject == SCRAPED else contextlib.nullcontext():
                    way, processor = ask(bench, sidecar, keys, *shape)
                for quantity, name in ((P50, "p50"), (P99, "p99"), (P999, "p999")):
                    bench.measured.add(case, subject, quantity, way["latency"][name] / 1000)
                bench.measured.add(case, subject, PROCESSOR, processor)
                bench.measured.add(case, subject, LATE_P99, way["lag"]["p99"] / 1000)


class _Connection(http.client.HTTPConnection):
    """At a Unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@contextlib.contextmanager
def _looking(admin):
    """Scrapes, and reads the events that open pages read, until the block ends."""
    ended, failures = threading.Event(), []

    def scrape():
        while not ended.wait(1 / SCRAPES_A_SECOND):
            connection = _Connection(admin)
            connection.request("GET", "/metrics")
            body = connection.getresponse().read()
            connection.close()
            if b"pgsidecar_gets_total" not in body:
                failures.append(body)

    def follow():
        connection = _Connection(admin)
        connection.request("GET", "/events")
        reply = connection.getresponse()
        while not ended.is_set():
            if not reply.readline():
                failures.append("the events ended")
                return
        connection.close()

    threads = [threading.Thread(target=scrape)] + [threading.Thread(target=follow) for _ in range(PAGES)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if failures:
        raise processes.Failure(f"looking at the figures went wrong: {failures[0]}")


# What the report says of it.


def targets(measured):
    def beside(case, quantity):
        return measured.ratio((case, BENCH, quantity), (case, REDIS_BENCHMARK, quantity))

    for case in (HITS_ONE, HITS_PIPELINED):
        yield Target(f"generator: asks a second / redis-benchmark's, {case}", beside(case, THROUGHPUT), 1, False)
        yield Target(f"generator: its processor time an ask / the same, {case}", beside(case, CLIENT), 1, True)
    case = SCRAPES.format(SCRAPE_RATE)
    for quantity, bound in ((P50, 1.05), (P99, 1.1)):
        ratio = measured.ratio((case, SCRAPED, quantity), (case, WITHOUT, quantity))
        yield Target(f"scrapes: {quantity.split()[0]} of a hit / without", ratio, bound, True)


def tables(measured):
    return [table for table in (_beside(measured), _looked_at(measured)) if table.rows]


def _beside(measured):
    rows = []
    for case in CASES:
        for subject in (BENCH, REDIS_BENCHMARK):
            cells = []
            for quantity, form in ((THROUGHPUT, "{:,.0f}"), (P50, "{:.3f}"), (P99, "{:.3f}")):
                ratio = measured.ratio((case, subject, quantity), (case, REDIS_BENCHMARK, quantity))
                cells += [spread(measured.get(case, subject, quantity), form), spread(ratio)]
            cost = spread([value / 1000 for value in measured.get(case, subject, CLIENT)])
            if measured.get(case, subject, THROUGHPUT):
                rows.append([case, subject, *cells, cost])
    head = ["hits", "asked by", "asks a second", "/ redis-benchmark's", "p50 ms", "/ its", "p99 ms", "/ its"]
    head.append("its own processor µs an ask")
    return Table("The generator beside redis-benchmark, at one sidecar", head, rows)


def _looked_at(measured):
    rows = []
    case = SCRAPES.format(SCRAPE_RATE)
    for subject in (WITHOUT, SCRAPED):
        cells = []
        for quantity in (P50, P99, P999):
            ratio = measured.ratio((case, subject, quantity), (case, WITHOUT, quantity))
            microseconds = [value * 1000 for value in measured.get(case, subject, quantity)]
            cells += [spread(microseconds, "{:,.0f}"), spread(ratio)]
        late = [value * 1000 for value in measured.get(case, subject, LATE_P99)]
        cost = [value / 1000 for value in measured.get(case, subject, PROCESSOR)]
        if late:
            rows.append([case, subject, *cells, spread(late, "{:,.0f}"), spread(cost)])
    head = ["load", "meanwhile", "p50 µs", "/ without", "p99 µs", "/ without", "p99.9 µs", "/ without"]
    return Table("Scrapes", [*head, "generator's lag, p99 µs", "processor µs a hit"], rows)


ALL = {"generator": generator, "scrapes": scrapes}
