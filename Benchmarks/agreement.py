"""Whether the figures of `pgsidecar bench` are true: the same asks seen by an observer, and answers that take a known time."""

import array
import contextlib
import math
import os
from collections import Counter
from dataclasses import dataclass

import processes
from generator import BENCH, REDIS_BENCHMARK, ask, sidecar_with_hits
from measurements import P50, P99, THROUGHPUT, spread
from sections import redis_benchmark
from servers import Server
from tables import Table, Target

#: By client what an observer saw of it.
SEEN = {client: f"{client}, seen" for client in (BENCH, REDIS_BENCHMARK)}
#: A client's own time between a reply and its next request.
BETWEEN = "between a reply and the next request, p50 ms"
COUNT = "asks"

ALONE = "hits, 1 connection"
OBSERVED = {ALONE: 1, "hits, 50 connections": 50}
#: Microseconds. The shortest is many times what a client's own waking takes, the longest short enough for some thousand asks.
LEAST_DELAY, MOST_DELAY = 1_000, 32_000
DELAYED_CONNECTIONS = 50
DELAYED = f"answers that take 1 to 32 ms, {DELAYED_CONNECTIONS} connections"
BY_SCHEDULE = "the same, 1,000 a second by a schedule"
SCHEDULE_RATE = 1_000
#: Bench asks for each of its keys once before it measures, here through the delays.
DELAYED_KEYS = 1_000
#: What a client asks at most on a connection that is for questions about the server.
ABOUT_ITSELF = 5


@dataclass
class Seen:
    """What was noted of a client's asks, in milliseconds, both from the least on."""

    latencies: list
    between: list  # from a reply to the next request of its connection


def percentile(values, percent):
    return values[max(1, math.ceil(len(values) * percent / 100)) - 1]


def seen(path, connections):
    """Reads what Benchmarks/samples.h wrote of the connections by which a client measured: its last ones, but for those by which
    it asks the server about itself."""
    numbers = array.array("q")
    with open(path, "rb") as file:
        numbers.frombytes(file.read(24))
        numbers.frombytes(file.read(24 * numbers[0]))
    count = numbers[0]
    if len(numbers) != 3 * (count + 1):
        raise processes.Failure(f"{path} has no room for {count} samples")
    begins, ends, owners = numbers[3::3], numbers[4::3], numbers[5::3]
    measuring = set(sorted(owner for owner, asks in Counter(owners).items() if asks > ABOUT_ITSELF)[-connections:])
    latencies, between, answered = [], [], {}
    for begin, end, owner in sorted(zip(begins, ends, owners)):
        if owner in measuring:
            latencies.append((end - begin) / 1e6)
            if owner in answered:
                between.append((begin - answered[owner]) / 1e6)
            answered[owner] = end
    return Seen(sorted(latencies), sorted(between))


@contextlib.contextmanager
def _delays(bench, sidecar):
    """Something that stands before a sidecar and gives each answer a known time, and what it then saw."""
    path = os.path.join(bench.folder, "delay.sock")
    samples = os.path.join(bench.folder, "delayed")
    arguments = [bench.tools.delay, path, sidecar.socket_path, samples, LEAST_DELAY, MOST_DELAY]
    log = os.path.join(bench.folder, "delay.log")
    delay = Server("delay", processes.Process([str(each) for each in arguments], log), path)
    try:
        delay.wait_until_listening()
        yield delay, samples
    finally:
        delay.stop()
        os.unlink(path)


def agreement(bench):
    """Both clients, watched at their sockets; and both at answers that take a known time."""
    if not bench.sidecar:
        return
    with sidecar_with_hits(bench) as (sidecar, keys):
        for _ in bench.rounds("agreement"):
            for case, connections in OBSERVED.items():
                # Short runs in turn, as the machine is faster at one moment than at another, for seconds.
                for _ in range(int(bench.sizes.generator_seconds)):
                    _observed_once(bench, sidecar, keys, case, connections)
            _delayed_once(bench, sidecar, keys)


def _observed_once(bench, sidecar, keys, case, connections):
    samples = os.path.join(bench.folder, "observed")
    watched = {"LD_PRELOAD": bench.tools.observe, "OBSERVE_SOCKET": sidecar.socket_path, "OBSERVE_SAMPLES": samples}
    environment = {**os.environ, **watched}
    way = _by_bench(bench, sidecar, keys, 1, connections, env=environment)
    _note_bench(bench, case, way, seen(samples, connections))
    asks = way["latency"]["count"]
    row = redis_benchmark(sidecar, connections, 1, asks, env=environment)
    _note_redis_benchmark(bench, case, row, asks, seen(samples, connections))


def _delayed_once(bench, sidecar, keys):
    for case, rate in ((DELAYED, []), (BY_SCHEDULE, ["--rate", SCHEDULE_RATE])):
        with _delays(bench, sidecar) as (delay, samples):
            more = ["--socket", delay.socket_path, "--keys", DELAYED_KEYS, *rate]
            way = _by_bench(bench, sidecar, keys, bench.sizes.generator_seconds, DELAYED_CONNECTIONS, *more)
        _note_bench(bench, case, way, seen(samples, DELAYED_CONNECTIONS))
        if not rate:
            asks = way["latency"]["count"]
    with _delays(bench, sidecar) as (delay, samples):
        row = redis_benchmark(delay, DELAYED_CONNECTIONS, 1, asks)
    _note_redis_benchmark(bench, DELAYED, row, asks, seen(samples, DELAYED_CONNECTIONS))


def _by_bench(bench, sidecar, keys, seconds, connections, *more, **options):
    """Without a warm-up, so that all that is on its connections is in its figures."""
    shape = ["--connections", connections, "--warm-up", 0, "--duration", seconds, *more]
    return ask(bench, sidecar, keys, *shape, **options)[0]


def _note_bench(bench, case, way, witnessed):
    asks, latency = way["asks"], way["latency"]
    bench.measured.add(case, BENCH, THROUGHPUT, asks["answered"] / asks["seconds"])
    for quantity, name in ((P50, "p50"), (P99, "p99")):
        bench.measured.add(case, BENCH, quantity, latency[name] / 1000)
    _note(bench, case, BENCH, latency["count"], witnessed)


def _note_redis_benchmark(bench, case, row, asks, witnessed):
    for quantity, name in ((THROUGHPUT, "rps"), (P50, "p50_latency_ms"), (P99, "p99_latency_ms")):
        bench.measured.add(case, REDIS_BENCHMARK, quantity, float(row[name]))
    _note(bench, case, REDIS_BENCHMARK, asks, witnessed)


def _note(bench, case, client, asks, witnessed):
    bench.measured.add(case, client, COUNT, asks)
    bench.measured.add(case, SEEN[client], COUNT, len(witnessed.latencies))
    for quantity, percent in ((P50, 50), (P99, 99)):
        bench.measured.add(case, SEEN[client], quantity, percentile(witnessed.latencies, percent))
    bench.measured.add(case, SEEN[client], BETWEEN, percentile(witnessed.between, 50))


# What the report says of it.


def _off(measured, case, client, other, quantity):
    """By how many percent what a client told is off another's, round by round."""
    return [abs(ratio - 1) * 100 for ratio in measured.ratio((case, client, quantity), (case, other, quantity))]


def targets(measured):
    def within(what, case, other, quantity, bound=5):
        off = _off(measured, case, BENCH, other, quantity)
        return Target(f"generator: {what}, {case}", off, bound, True, " %", "{:.1f}")

    for case in (*OBSERVED, DELAYED, BY_SCHEDULE):
        witness = "an observer's" if case in OBSERVED else "what the answers took"
        yield within("asks, off those that were seen", case, SEEN[BENCH], COUNT, 0)
        yield within(f"p50, off {witness}", case, SEEN[BENCH], P50)
        yield within(f"p99, off {witness}", case, SEEN[BENCH], P99)
    for quantity, name in ((THROUGHPUT, "asks a second"), (P50, "p50"), (P99, "p99")):
        yield within(f"{name}, off redis-benchmark's", DELAYED, REDIS_BENCHMARK, quantity)


def tables(measured):
    rows = []
    for case in (*OBSERVED, DELAYED, BY_SCHEDULE):
        for client in (BENCH, REDIS_BENCHMARK):
            told = measured.get(case, client, COUNT)
            if not told:
                continue
            asked = spread(measured.get(case, client, THROUGHPUT), "{:,.0f}")
            missed = sum(told) - sum(measured.get(case, SEEN[client], COUNT))
            cells = [case, client, asked, f"{missed:,}"]
            for quantity in (P50, P99):
                for subject in (client, SEEN[client]):
                    values = [value * 1000 for value in measured.get(case, subject, quantity)]
                    cells.append(spread(values, "{:,.1f}"))
                cells.append(spread(_off(measured, case, client, SEEN[client], quantity), "{:.1f}"))
            between = [value * 1000 for value in measured.get(case, SEEN[client], BETWEEN)]
            rows.append([*cells, spread(between, "{:,.1f}") if case in OBSERVED else ""])
    head = ["asks", "asked by", "a second", "told and not seen", "p50 µs, told", "seen", "off by %"]
    head += ["p99 µs, told", "seen", "off by %", "µs from a reply to the next request, seen"]
    return [Table("What clients tell, and what was seen of it", head, rows)] if rows else []


ALL = {"agreement": agreement}
