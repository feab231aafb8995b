"""What it takes to be told of changes, and what it brings: from a commit to the application's next read."""

import contextlib
import itertools
import json
import os
import random
import signal
import time

import processes
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
)
from sections import HIT_KEYS, HIT_VALUE_BYTES, HITS_ONE, HITS_PIPELINED, hits_once
from servers import SIDECAR, Sidecar, command

SOURCES = ("notify", "logical")
WITHOUT = "without a stream"

#: Accounts that are changed to be seen; others write to those above.
SEEN_ACCOUNTS = 1_000
WRITES = (0, 1_000)

#: In one statement: of more, triggers tell no keys.
ROWS_IN_STATEMENT = 5_000
ROWS_IN_TRANSACTION = 20_000

ZIPF_KEYS = 100_000
ZIPF_EXPONENT = 1.01
ZIPF_WRITES = 100
ZIPF_READS = 10_000
#: By case: the group's ttl, and what tells of changes.
ZIPF_CASES = {"ttl 1h, a stream": ("1h", "logical"), "ttl 1s, no stream": ("1s", "none")}


def delay_case(source, writes):
    """The case's name, as the report prints it."""
    return f"{source}, " + (f"{writes:,} other writes a second" if writes else "idle")


def freshness(bench):
    """All of it, in turns."""
    if not bench.sidecar:
        return
    bench.note("freshness: making the accounts")
    bench.database.make_accounts()
    for round_number in bench.rounds("freshness"):
        for source in SOURCES:
            _delays(bench, source, round_number)
        _writers(bench)
        for source in SOURCES:
            _backlog(bench, source)
        for case, (ttl, source) in ZIPF_CASES.items():
            _zipf(bench, case, ttl, source, round_number)
        # What was written left rows behind that nobody sees.
        bench.database.query("vacuum pgbench_accounts")
    _hits_beside_idle_streams(bench)


@contextlib.contextmanager
def sidecar_told_by(bench, source, **options):
    sidecar = bench.start_sidecar(groups=Sidecar.TOLD, source=source, **options)
    try:
        yield sidecar
    finally:
        sidecar.stop()


# From a commit to the next read


def _delays(bench, source, round_number):
    with sidecar_told_by(bench, source) as sidecar:
        for writes in WRITES:
            with other_writes(bench, writes):
                arguments = [bench.tools.commit, "-s", sidecar.socket_path, "-d", bench.database.url, "-p", "account:"]
                arguments += ["-n", bench.sizes.commits, "-k", SEEN_ACCOUNTS, "-S", round_number + 1]
                result = json.loads(processes.run(list(map(str, arguments))))
            if result["old"] > 0:
                raise processes.Failure(f"{source}: {result['old']} values were old after their change was told")
            for name, quantities in (
                ("commit", (COMMIT_P50, COMMIT_P99)),
                ("told", (TOLD_P50, TOLD_P99)),
                ("read", (READ_P50, READ_P99)),
            ):
                for quantity, percentile in zip(quantities, ("p50", "p99")):
                    bench.measured.add(delay_case(source, writes), SIDECAR, quantity, result[name][percentile] / 1000)


@contextlib.contextmanager
def other_writes(bench, rate):
    """Single rows are changed meanwhile, so many a second, each in a transaction of its own."""
    if rate == 0:
        yield
        return
    first, last = SEEN_ACCOUNTS + 1, 100_000
    script = f"\\set id random({first}, {last})\nupdate pgbench_accounts set abalance = abalance + 1 where aid = :id;\n"
    writer = bench.database.write(script, rate)
    try:
        time.sleep(1)
        yield
        writer.require_alive()
    finally:
        writer.stop()


# What being told costs those who write


def _writers(bench):
    for source in (WITHOUT, *SOURCES):
        told = contextlib.nullcontext() if source == WITHOUT else sidecar_told_by(bench, source)
        with told:
            transactions, update = bench.database.updates_per_second(bench.sizes.pgbench_seconds)
        bench.measured.add(source, "pgbench", THROUGHPUT, transactions)
        bench.measured.add(source, "pgbench", SERVER_TIME, update)


# How many invalidations one sidecar takes


def _backlog(bench, source):
    """Rows are changed while the sidecar stands still; then it takes what has gathered, all of it keys in its memory."""
    rows = bench.sizes.told_rows
    with sidecar_told_by(bench, source, heartbeat="60s") as sidecar:
        bench.ask_distinct(sidecar, "account:", rows, "-P", 16)
        told, entries = sidecar.info("invalidation", "invalidation_keys"), sidecar.entries()
        server = bench.database.stream_server()
        # It decodes from the first commit on, as far as the sidecar's socket takes it.
        telling = processes.processor_ns(server)
        os.kill(sidecar.process.pid, signal.SIGSTOP)
        try:
            _change_rows(bench, rows)
            position = bench.database.log_position()
        finally:
            spent = sidecar.process.processor_ns()
            began = time.monotonic()
            os.kill(sidecar.process.pid, signal.SIGCONT)

        def is_told():
            return sidecar.info("invalidation", "invalidation_keys") - told >= rows

        processes.wait_until(f"{rows:,} changes to be told up to {position}", is_told, sidecar.process, 120, 0.005)
        seconds = time.monotonic() - began
        spent = sidecar.process.processor_ns() - spent
        telling = processes.processor_ns(server) - telling
        left = sidecar.entries() - entries + rows
        if left > 0:
            raise processes.Failure(f"{left} entries of {rows} are still there after their rows' changes ({source})")
    bench.measured.add(source, SIDECAR, THROUGHPUT, rows / seconds)
    bench.measured.add(source, SIDECAR, PROCESSOR, spent / rows)
    bench.measured.add(source, SIDECAR, TELLING_TIME, telling / rows)


def _change_rows(bench, rows):
    """Each of the first accounts once, in large transactions."""
    for first in range(1, rows + 1, ROWS_IN_TRANSACTION):
        after = min(first + ROWS_IN_TRANSACTION, rows + 1)
        statements = [
            "update pgbench_accounts set abalance = abalance + 1"
            f" where aid >= {start} and aid < {min(start + ROWS_IN_STATEMENT, after)};"
            for start in range(first, after, ROWS_IN_STATEMENT)
        ]
        bench.database.query("begin;" + "".join(statements) + "commit")


# What an idle stream costs a hit


def _hits_beside_idle_streams(bench):
    sizes = bench.sizes
    running = []
    try:
        for source in ("none", *SOURCES):
            name = WITHOUT if source == "none" else source
            sidecar = bench.start_sidecar(source=source, name=name.replace(" ", "-"))
            sidecar.name = name
            running.append(sidecar)
            bench.ask_distinct(sidecar, "m:", HIT_KEYS, "-o", 0, "-w", 12, "-l", HIT_VALUE_BYTES, "-P", 16)
        for _ in bench.rounds("freshness, hits"):
            for case, pipeline, operations in (
                (HITS_ONE, 1, sizes.hits_one),
                (HITS_PIPELINED, 16, sizes.hits_pipelined),
            ):
                for sidecar in running:
                    hits_once(bench, case, sidecar, 50, pipeline, operations)
    finally:
        for sidecar in running:
            sidecar.stop()


# What it brings


def _zipf(bench, case, ttl, source, round_number):
    """Keys are asked for as a Zipf law has it and rows written by the same law; queries and hits are counted."""
    options = {"ttl": ttl, "source": source}
    script = (
        f"\\set id random_zipfian(1, {ZIPF_KEYS}, {ZIPF_EXPONENT})\n"
        "update pgbench_accounts set abalance = abalance + 1 where aid = :id;\n"
    )
    with sidecar_told_by(bench, **options) as sidecar:
        bench.ask_distinct(sidecar, "account:", ZIPF_KEYS, "-P", 16)
        writer = bench.database.write(script, ZIPF_WRITES)
        try:
            reader = ZipfReader(sidecar, round_number + 1)
            reader.read(2)  # until there is a balance between what comes and what goes
            bench.database.forget_statistics()
            reads = reader.read(bench.sizes.zipf_seconds)
            queries, _ = bench.database.account_reads()
            writer.require_alive()
        finally:
            writer.stop()
    bench.measured.add(case, SIDECAR, HIT_RATIO, 100 * (1 - queries / reads))
    bench.measured.add(case, SIDECAR, QUERIES_A_SECOND, queries / bench.sizes.zipf_seconds)


class ZipfReader:
    """Asks in steps of ten milliseconds, each step's GETs at once."""

    STEP = 0.01

    def __init__(self, sidecar, seed):
        self._client = sidecar.connect()
        self._replies = self._client.makefile("rb")
        self._random = random.Random(seed)
        weights = (rank**-ZIPF_EXPONENT for rank in range(1, ZIPF_KEYS + 1))
        self._weights = list(itertools.accumulate(weights))
        self._keys = range(1, ZIPF_KEYS + 1)

    def read(self, seconds):
        """Returns how many keys were read."""
        each = int(ZIPF_READS * self.STEP)
        began = time.monotonic()
        steps = int(seconds / self.STEP)
        for step in range(steps):
            keys = self._random.choices(self._keys, cum_weights=self._weights, k=each)
            time.sleep(max(0, began + step * self.STEP - time.monotonic()))
            self._client.sendall(b"".join(command("GET", f"account:{key}") for key in keys))
            for _ in range(each):
                line = self._replies.readline()
                if not line.startswith(b"$") or line == b"$-1\r\n":
                    raise processes.Failure(f"the sidecar answered {line!r} to a GET")
                self._replies.read(int(line[1:]) + 2)
        return steps * each


ALL = {"freshness": freshness}
