"""Measurements by an open load: requests that come by a schedule, whether or not the last was answered."""

import contextlib
import json
import os
import threading
import time

import processes
from measurements import ERRORS, OFF_SCHEDULE, P50, P99, P999, PROCESSOR, USUAL_P99
from sections import HIT_KEYS, start_with_hits
from servers import SIDECAR, Sidecar, command

RATES = (1_000, 10_000, 40_000, 80_000, 120_000)
CONNECTIONS = (1, 8, 50, 200)

NEIGHBOURS_THREADS = (1, 2)
NEIGHBOURS_RATE = 1_000
SLOW_CLIENTS = 6


def point(rate, connections):
    """The case's name, as the report prints it."""
    return f"{rate:,} a second, {connections} connection{'s' if connections > 1 else ''}"


def neighbours_case(threads, beside):
    place = f"beside {SLOW_CLIENTS} clients of a query of 1.5 s" if beside else "alone"
    return f"{threads} thread{'s' if threads > 1 else ''}, {place}"


@contextlib.contextmanager
def apart(bench):
    """Keeps the last core for the load generator, and this script and what it starts on the others. Gives that core.

    With one core alone, or where the kernel refuses, everything stays where it was and the core is None.
    """
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        bench.note("one core alone: what the load generator takes of it is measured, too")
        yield None
        return
    # Processes that PostgreSQL starts from here on, one for each connection, take this from the one that starts them.
    moved = [0] + ([bench.database.process.pid] if bench.database else [])
    for process in moved:
        os.sched_setaffinity(process, cores[:-1])
    try:
        yield cores[-1]
    finally:
        for process in moved:
            os.sched_setaffinity(process, cores)


def _ask_by_schedule(bench, server, core, rate, seconds, connections, seed, *more):
    """One schedule on one server: what Benchmarks/open.c printed, and the server's processor time in nanoseconds."""
    arrivals = max(int(rate * seconds), bench.sizes.open_least_arrivals)
    arguments = [bench.tools.open, "-i", "-s", server.socket_path, "-p", "m:", "-w", 12, "-r", rate, "-n", arrivals]
    arguments += ["-c", connections, "-S", seed, "-C", -1 if core is None else core, *more]
    if bench.realtime:
        time.sleep(0.2)  # the kernel keeps a share of each second for ordinary work
    with processes.conversation(list(map(str, arguments)), prefer=bench.realtime) as say:
        if say(None) != "ready":
            raise processes.Failure("Benchmarks/open.c did not get ready")
        before = server.process.processor_ns()
        result = json.loads(say(""))
        spent = server.process.processor_ns() - before
    server.process.require_alive()
    if result["nils"] > 0 or result["answered"] < arrivals:
        raise processes.Failure(f"{server.name}: wrong or missing replies: {result}")
    return result, spent


def open_load(bench):
    """GET of keys that are in memory, at every rate on every number of connections, the servers in turn."""
    with apart(bench) as core:
        running = start_with_hits(bench)
        try:
            if bench.realtime:
                for server in running:
                    server.process.prefer()
            for round_number in bench.rounds("open load"):
                # Another one goes first in each round: what comes once in so many runs should not meet the same one.
                first = round_number % len(running)
                for rate in RATES:
                    for connections in CONNECTIONS:
                        for server in running[first:] + running[:first]:
                            _open_once(bench, server, core, rate, connections, round_number)
        finally:
            for server in running:
                server.stop()


def _open_once(bench, server, core, rate, connections, round_number):
    seconds, seed = bench.sizes.open_seconds, round_number + 1
    keys = ["-k", HIT_KEYS]
    result, spent = _ask_by_schedule(bench, server, core, rate, seconds, connections, seed, *keys)
    if result["errors"] > 0:
        raise processes.Failure(f"{server.name}: {result['errors']} errors: {result['first_error']}")
    _keep(bench, point(rate, connections), server.name, result)
    bench.measured.add(point(rate, connections), server.name, PROCESSOR, spent / result["arrivals"])


def _keep(bench, case, subject, result):
    for quantity, name in ((P50, "p50"), (P99, "p99"), (USUAL_P99, "usual_p99"), (P999, "p99.9")):
        bench.measured.add(case, subject, quantity, result[name] / 1000)
    bench.measured.add(case, subject, OFF_SCHEDULE, 0 if result["kept_schedule"] else 1)


def neighbours(bench):
    """Keys of a fast group that are not in memory, alone and beside clients of a slow group; settings are the default."""
    if not bench.sidecar:
        return
    with apart(bench) as core:
        for round_number in bench.rounds("neighbours"):
            for threads in NEIGHBOURS_THREADS:
                sidecar = bench.start_sidecar(threads=threads, groups=Sidecar.NEIGHBOURS, connections=None)
                try:
                    _neighbours_once(bench, sidecar, core, threads, round_number)
                finally:
                    sidecar.stop()


def _neighbours_once(bench, sidecar, core, threads, round_number):
    if bench.realtime:
        sidecar.process.prefer()
    each = int(NEIGHBOURS_RATE * bench.sizes.neighbours_seconds)
    # Connections are made and statements prepared before anything is counted.
    bench.ask_distinct(sidecar, "m:", 1000, "-o", HIT_KEYS - 1000, "-w", 12, "-c", 8)
    for beside in (False, True):
        with slow_clients(sidecar) if beside else contextlib.nullcontext():
            keys = ["-u", "-k", each, "-o", each if beside else 0]
            result, _ = _ask_by_schedule(
                bench, sidecar, core, NEIGHBOURS_RATE, bench.sizes.neighbours_seconds, 8, round_number + 1, *keys
            )
        case = neighbours_case(threads, beside)
        _keep(bench, case, SIDECAR, result)
        bench.measured.add(case, SIDECAR, ERRORS, result["errors"])


@contextlib.contextmanager
def slow_clients(server):
    """Clients of the slow group, each asking for another key as soon as it was answered; all have asked once."""
    ended = threading.Event()
    asked = threading.Barrier(SLOW_CLIENTS + 1, timeout=30)

    def ask(number):
        with server.connect() as client, client.makefile("rb") as replies:
            count = 0
            while not ended.is_set():
                client.sendall(command("GET", f"slow:{number}-{count}"))
                if count == 0:
                    asked.wait()
                count += 1
                reply = replies.readline()
                if reply.startswith(b"$"):
                    replies.readline()
                elif not reply:
                    return

    clients = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(SLOW_CLIENTS)]
    for client in clients:
        client.start()
    asked.wait()
    time.sleep(0.2)  # their queries are under way in PostgreSQL
    try:
        yield
    finally:
        ended.set()
        for client in clients:
            client.join(30)


ALL = {"open": open_load, "neighbours": neighbours}
