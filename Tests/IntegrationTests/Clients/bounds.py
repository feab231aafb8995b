"""Clients that ask for more than anything can hold at once: bounds.py SOCKET CASE, where CASE is a function's name below. Says
"all is well", or dies with what is not.

The groups: `text:N` is N's text of 100 bytes, `page:N` one of 10 KB, `book:N` one of 1 MB, `row:N` a row of 3 MB whose `id`
is N, `held:N` takes longer than its load may, `pair:A:B` has two arguments. `max_output` is 1 MiB."""

import sys
import threading
import time

from wire import PATIENCE, Closed, Fault, Wire, bulk, command, compare

path, case = sys.argv[1], sys.argv[2]


def body(number, size):
    start = b"%d of %d " % (number, size)
    return (start * (size // len(start) + 1))[:size]


SIZES = {"text": 100, "page": 10_000, "book": 1_000_000}


def written_first(group, numbers, allowed, rounds=1):
    """Asks for all by one write before it reads anything; the server may grow by `allowed` bytes at most."""
    client = Wire(path)
    replies = {number: bulk(body(number, SIZES[group])) for number in set(numbers)}
    request = b"".join(command("GET", f"{group}:{number}") for number in numbers)
    size = sum(len(replies[number]) for number in numbers)
    for _ in range(rounds):
        client.forget_peak()
        before = client.peak()
        client.send(request)
        client.settle_in_memory()
        for first in range(0, len(numbers), 100):
            wanted = b"".join(replies[number] for number in numbers[first : first + 100])
            compare(f"replies {first} to {first + 99} of {size} bytes", client.read(len(wanted)), wanted)
        grown = client.peak() - before
        if grown > allowed:
            raise Fault(f"{size >> 20} MB of replies made the server grow by {grown >> 20} MB")
    compare("PING afterwards", client.ask("PING"), b"+PONG\r\n")


def many_texts():
    """The second round finds in memory what the first has loaded."""
    written_first("text", list(range(100_000)), allowed=150 << 20, rounds=2)


def many_pages():
    """1 GB of replies about a thousand keys: the first that come are cold, all others hot."""
    written_first("page", [number % 1000 for number in range(100_000)], allowed=150 << 20)


def many_cold_pages():
    """1 GB that is not in memory and would not fit there."""
    written_first("page", list(range(100_000)), allowed=200 << 20)


def books_that_nobody_reads():
    """A few KB of requests for 200 MB, from a client that reads when all that would come has come."""
    written_first("book", list(range(200)), allowed=100 << 20)


def many_clients_of_books():
    """The bound holds for all clients together. Those who hold what others wait for and begin to read too late, as happens
    on a busy machine, may be closed for it; then that is counted, and what they got is right."""
    clients = [Wire(path) for _ in range(20)]
    clients[0].forget_peak()
    before = clients[0].peak()
    for index, client in enumerate(clients):
        client.send(b"".join(command("GET", f"book:{number}") for number in range(index * 10, index * 10 + 10)))
    for client in clients:
        client.settle()
    clients[0].settle_in_memory()
    closed = 0
    for index, client in enumerate(clients):
        wanted = b"".join(bulk(body(number, SIZES["book"])) for number in range(index * 10, index * 10 + 10))
        try:
            received = client.read(len(wanted))
        except Closed as fault:
            closed += 1
            received = fault.received
            wanted = wanted[: len(received)]
        compare(f"client {index}", received, wanted)
    if closed == len(clients) or b"slow_readers_closed:%d\r\n" % closed not in Wire(path).ask("INFO", "stats"):
        raise Fault(f"{closed} clients were closed")
    grown = clients[0].peak() - before
    if grown > 130 << 20:
        raise Fault(f"200 MB of replies made the server grow by {grown >> 20} MB")


def answered_in_the_same_round():
    """What is answered without a load, however much of it there is, leaves with the round that it came in. (What is left
    behind waits for the loop's next event, a second or two, each time; a busy machine is not late ten times.)"""
    for mistake in ("nothing:1", "pair:1", "held:one"):
        quickest = min(answered_after(mistake) for _ in range(10))
        if quickest > 0.5:
            raise Fault(f"1,024 times GET {mistake} and a PING take {quickest:.1f} s")


def answered_after(mistake):
    client = Wire(path)
    began = time.monotonic()
    client.send(command("GET", mistake) * 1024 + command("PING"))
    *lines, pong = client.read_lines(1025)
    took = time.monotonic() - began
    client.close()
    if not all(line.startswith(b"-") for line in lines):
        raise Fault(f"GET {mistake} was answered")
    compare("PING behind them", pong, b"+PONG")
    return took


def one_bad_key():
    """An error never stands in an array: what comes next on the connection is the next command's."""
    for keys in (["text:1", "held:one", "text:2"], ["held:one"], ["text:1", "nothing:1"], ["held:one", "text:1", "pair:1"]):
        client = Wire(path)
        bad = [key.encode() for key in keys if not key.startswith("text")]
        client.send(command("MGET", *keys) + command("GET", "text:3"))
        line = client.read_line()
        if not line.startswith(b"-") or not any(key in line for key in bad):
            raise Fault(f"MGET {' '.join(keys)} was answered by {line}")
        wanted = bulk(body(3, 100))
        compare("the next GET", client.read(len(wanted)), wanted)


class Watch:
    """Another client that asks for what is in memory, all the time; for none of its answers may the server work more than
    `most` seconds. (Processor time: how long an answer takes is also the machine's doing.)"""

    def __init__(self, most=3):
        self.most = most

    def __enter__(self):
        self.longest, self.is_over, self.fault = 0, False, None
        self.client = Wire(path)
        self.client.ask("GET", "text:1")
        self.thread = threading.Thread(target=self._watch)
        self.thread.start()
        return self

    def _watch(self):
        try:
            while not self.is_over:
                before = self.client.processor_time()
                compare("a hit meanwhile", self.client.ask("GET", "text:1"), body(1, 100))
                self.longest = max(self.longest, self.client.processor_time() - before)
                time.sleep(0.005)
        except Fault as fault:
            self.fault = fault

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()
        if self.fault:
            raise self.fault
        if self.longest > self.most:
            raise Fault(f"meanwhile a hit waited for {self.longest:.1f} s of other work")


def one_key_many_times():
    """One MGET that names a key 65,535 times, whose load times out."""
    client = Wire(path)
    with Watch():
        line = client.ask("MGET", *["held:7"] * 65_535)
        if not line.startswith(b"-"):
            raise Fault(f"MGET of a key that is held was answered by {line}")
    compare("PING afterwards", client.ask("PING"), b"+PONG\r\n")


def many_who_wait():
    """128,000 requests wait for one key whose load times out: each gets an answer, others don't notice. (A debug build
    writes that many errors in a second or two.)"""
    clients = [Wire(path) for _ in range(400)]
    with Watch(most=5):
        for client in clients:
            client.send(command("GET", "held:7") * 320)

        for client in clients:
            lines = client.read_lines(320)
            if not all(line.startswith(b"-") for line in lines):
                raise Fault("a key that is held was answered")


def waits_in_vain_and_leaves():
    """The same, and all of them go away while they wait."""
    with Watch():
        clients = [Wire(path) for _ in range(400)]
        for client in clients:
            client.send(command("GET", "held:7") * 320)
        for client in clients:
            client.close()
        last = Wire(path)
        deadline = time.monotonic() + PATIENCE
        while b"connected_clients:2\r\n" not in last.ask("INFO", "clients"):
            if time.monotonic() > deadline:
                raise Fault("clients that went away are still connected")
            time.sleep(0.02)


def readers_of_nothing(count, first):
    """Clients that wait for books and pages until nothing more may wait for anybody, and read none of it."""
    clients = []
    for number in range(first, first + count):
        client = Wire(path)
        asked = [command("GET", f"book:{number}")] + [command("GET", f"page:{number * 100 + n}") for n in range(100)]
        client.send(b"".join(asked))
        clients.append(client)
    return clients


def until_loaded(number):
    client = Wire(path)
    while client.ask("TTL", f"book:{number}") == b":-2\r\n":
        pass
    client.close()


def short_replies_pass():
    clients = readers_of_nothing(20, first=1000)
    clients[0].settle_in_memory()
    for number in range(20):
        other = Wire(path)
        compare("a cold text", other.ask("GET", f"text:{number}"), body(number, 100))
        compare("a hot text", other.ask("GET", f"text:{number}"), body(number, 100))
        other.close()
    for client in clients:
        client.close()


def room_that_nobody_took():
    """Those in front of the line have gone when there is room for them."""
    holders = readers_of_nothing(10, first=1000)
    holders[0].settle_in_memory()
    gone = readers_of_nothing(30, first=2000)
    last = Wire(path)
    last.send(command("GET", "book:3000"))
    for number in range(2000, 2030):
        until_loaded(number)
    until_loaded(3000)
    for client in gone + holders:
        client.close()
    wanted = bulk(body(3000, SIZES["book"]))
    compare("the last one's book", last.read(len(wanted)), wanted)


def kept_in_all():
    queued = b"".join(command("ECHO", "x" * 1000) for _ in range(900))
    channels = command("SUBSCRIBE", *[f"channel {n}" for n in range(3000)])
    keys = command("WATCH", *[f"text:{n}" for n in range(3000)])
    client = Wire(path)
    client.forget_peak()
    before = client.peak()
    clients = []
    for number in range(60):
        client = Wire(path)
        client.send([command("MULTI") + queued, channels, keys][number % 3])
        client.settle()
        clients.append(client)
    grown = client.peak() - before
    if grown > 40 << 20:
        raise Fault(f"what clients keep made the server grow by {grown >> 20} MB")
    if not clients[57].read_lines(901)[-1].startswith(b"-BUSY"):
        raise Fault("a transaction has room when there is none")
    for client in clients:
        client.close()
    client = Wire(path)
    compare("MULTI afterwards", client.ask("MULTI"), b"+OK\r\n")
    compare("a request of it", client.ask("ECHO", "x" * 100_000), b"+QUEUED\r\n")


def part_of_a_large_row():
    """What counts against `max_output` is what is sent, not the row that it was taken from: here 1 MiB and 3 MB."""
    client = Wire(path)
    numbers = range(1000, 1008)
    client.send(b"".join(command("HGET", f"row:{number}", "id") for number in numbers))
    wanted = b"".join(bulk(b"%d" % number) for number in numbers)
    compare("HGET of rows of 3 MB", client.read(len(wanted)), wanted)
    client.send(b"".join(command("HMGET", f"row:{number}", "id", "no") for number in range(1020, 1028)))
    wanted = b"".join(b"*2\r\n" + bulk(b"%d" % number) + b"$-1\r\n" for number in range(1020, 1028))
    compare("HMGET of rows of 3 MB", client.read(len(wanted)), wanted)
    client.send(b"".join(command("EXISTS", f"row:{number}") for number in range(1040, 1048)))
    compare("EXISTS of rows of 3 MB", client.read(8 * 4), b":1\r\n" * 8)


def subscriber_asks():
    """A RESP2 subscriber may not ask, and hears so; a RESP3 one may."""
    client = Wire(path)
    client.send(command("SUBSCRIBE", "somewhere"))
    client.settle()
    client.read(client.waiting())
    for words in (["GET", "text:1"], ["MGET", "text:1"], ["HGETALL", "row:1"]):
        line = client.ask(*words)
        if not line.startswith(b"-ERR"):
            raise Fault(f"{words} of a RESP2 subscriber was answered by {line}")
    client = Wire(path)
    client.send(command("HELLO", "3") + command("SUBSCRIBE", "somewhere"))
    client.settle()
    client.read(client.waiting())
    compare("GET of a RESP3 subscriber", client.ask("GET", "text:1"), body(1, 100))


def subscribers_come_and_go():
    """Subscribers leave in the middle of the events that they asked for, and others connect, who get the numbers of their
    descriptors: each of them hears its own answers and nothing else."""
    channel = b"__keyevent@0__:loaded"
    confirmed = b"*3\r\n" + bulk(b"subscribe") + bulk(channel) + b":1\r\n"
    loader = Wire(path)
    for turn in range(60):
        subscribers = [Wire(path) for _ in range(20)]
        for subscriber in subscribers:
            subscriber.send(command("SUBSCRIBE", channel))
            compare("SUBSCRIBE", subscriber.read(len(confirmed)), confirmed)
        numbers = range(200_000 + turn * 200, 200_200 + turn * 200)
        loader.send(b"".join(command("GET", f"text:{number}") for number in numbers))
        newcomers = []
        for subscriber in subscribers:
            subscriber.close()
            newcomers.append(Wire(path))
            newcomers[-1].send(command("ECHO", f"{turn}") + command("GET", "text:1"))
        wanted = b"".join(bulk(body(number, 100)) for number in numbers)
        compare("the loads meanwhile", loader.read(len(wanted)), wanted)
        wanted = bulk(b"%d" % turn) + bulk(body(1, 100))
        for newcomer in newcomers:
            compare("a newcomer's answers", newcomer.read(len(wanted)), wanted)
            if newcomer.waiting() > 0:
                raise Fault(f"a newcomer got what it did not ask for: {newcomer.read(newcomer.waiting())}")
            newcomer.close()


def request_too_long():
    """The error can be read, although not all of the request was."""
    client = Wire(path)
    said = []

    def read():
        said.append(client.read_line())

    reader = threading.Thread(target=read)
    reader.start()
    client.send(command("PING", b"x" * (4 << 20)))
    reader.join(PATIENCE)
    if not said or not said[0].startswith(b"-ERR Protocol error"):
        raise Fault(f"a request of 4 MB was answered by {said}")
    if client.socket.recv(1):
        raise Fault("the connection goes on after a protocol error")


try:
    globals()[case]()
except Fault as fault:
    sys.exit(f"{case}: {fault}")
print("all is well")
