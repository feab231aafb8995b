"""Tens of clients that behave as badly as clients can, beside a few whose every answer is checked byte for byte: hostile.py
SOCKET SECONDS SEED. Says "all is well", or dies with what is not, and with the seed.

The groups: `text:N` is N's text of 100 bytes, `page:N` one of 10 KB, `sized:BYTES:TAG` one of so many bytes, `row:N` a row with
`id` and `text`, `rows:N` a list of N rows, `held:N` takes longer than its load may. `max_output` is 2 MiB."""

import random
import socket
import sys
import threading
import time
import traceback

from wire import Fault, Wire, bulk, command, compare, integer, sequence

path, seconds, seed = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
MAX_OUTPUT = 2 << 20
HOSTILE, CHECKED = 40, 6
PATIENCE = 120

until = time.monotonic() + seconds
faults = []
killable = set()
statistics = {"checked": 0, "attacks": 0, "longest": 0.0}


def is_over():
    return faults or time.monotonic() > until


def body(name, size):
    start = f"{name} of {size} ".encode()
    return (start * (size // len(start) + 1))[:size]


# Those who are checked.


class Questions:
    """Random questions, each with the bytes that have to come back; None: one line, an error."""

    def __init__(self, drawn, version):
        self.drawn, self.version = drawn, version
        self.nil = b"_\r\n" if version == 3 else b"$-1\r\n"

    def size(self):
        sizes = [0, 1, 100, 16_383, 16_384, 16_385, 65_536, 212_992, 300_000, 1 << 20, 2_000_000]
        return self.drawn.choice(sizes) if self.drawn.random() < 0.5 else self.drawn.randrange(20_000)

    def text(self):
        """A key and its text."""
        number = self.drawn.randrange(3000)
        kind = self.drawn.randrange(4)
        if kind == 0:
            return f"page:{number}", body(number, 10_000)
        if kind == 1:
            size = self.size()
            return f"sized:{size}:{number % 10}", body(number % 10, size)
        return f"text:{number}", body(number, 100)

    def fields(self, number):
        head = b"%2\r\n" if self.version == 3 else b"*4\r\n"
        return head + bulk(b"id") + bulk(b"%d" % number) + bulk(b"text") + bulk(body(number, 500))

    def one(self):
        drawn = self.drawn
        number = drawn.randrange(1000)
        key, text = self.text()
        return drawn.choice(
            [
                lambda: (["GET", key], bulk(text)),
                lambda: (["GET", key], bulk(text)),
                lambda: (["GET", key], bulk(text)),
                lambda: (["STRLEN", key], integer(len(text))),
                lambda: (["GETRANGE", key, "3", "40"], bulk(text[3:41])),
                lambda: (["EXISTS", key, key, "text:none"], integer(2)),
                lambda: (["GET", "text:none"], self.nil),
                lambda: (["PING"], b"+PONG\r\n"),
                lambda: (["ECHO", key], bulk(key.encode())),
                lambda: (["HGETALL", f"row:{number}"], self.fields(number)),
                lambda: (["HGET", f"row:{number}", "id"], bulk(b"%d" % number)),
                lambda: (
                    ["GET", f"rows:{number % 50}"],
                    bulk(b"[" + b",".join(b'{"n":%d}' % n for n in range(1, number % 50 + 1)) + b"]"),
                ),
                lambda: (
                    ["GET", "sized:3000000:1"],
                    b"-TOOLARGE the reply would take more than max_output (%d bytes)\r\n" % MAX_OUTPUT,
                ),
                lambda: (["GET", f"held:{drawn.randrange(20)}"], None),
                self.several,
            ]
        )()

    def several(self):
        asked, room = [], 1_500_000
        for _ in range(self.drawn.randrange(1, 12)):
            key, text = self.text()
            if len(text) < room:
                room -= len(text)
                asked.append((key, text))
        return ["MGET", "text:none", *[key for key, _ in asked]], sequence([self.nil, *[bulk(text) for _, text in asked]])

    def some(self):
        """What is asked together."""
        asked = [self.one() for _ in range(self.drawn.choice([1, 1, 1, 2, 5, 20, 100]))]
        if self.drawn.random() > 0.1:
            return asked
        kept, room = [], 1_500_000
        for words, reply in asked:
            if reply is not None and len(reply) < room and not reply.startswith(b"-"):
                room -= len(reply)
                kept.append((words, reply))
        queued = [(words, b"+QUEUED\r\n") for words, _ in kept]
        return [(["MULTI"], b"+OK\r\n"), *queued, (["EXEC"], sequence([reply for _, reply in kept]))]


class Checked(Wire):
    def __init__(self, drawn):
        super().__init__(path)
        self.drawn = drawn
        self.socket.settimeout(PATIENCE)
        self.buffer = bytearray()
        version = drawn.choice([2, 3])
        self.questions = Questions(drawn, version)
        if version == 3:
            # Some keep a cache of their own, and are told of what leaves the server's.
            tracking = drawn.choice([b"", command("CLIENT", "TRACKING", "ON"), command("CLIENT", "TRACKING", "ON", "BCAST")])
            self.send(command("HELLO", "3") + tracking + command("PING"))
            while b"+PONG\r\n" not in self.buffer:
                self._receive(self.buffer, 1 << 16)
            # Behind it there may be an invalidation already.
            del self.buffer[: self.buffer.index(b"+PONG\r\n") + 7]

    def framed(self, words):
        if self.drawn.random() < 0.1 and all(word and word.isascii() for word in words):
            return " ".join(words).encode() + b"\r\n"
        return command(*words)

    def write(self, request):
        """Whole, or in pieces."""
        if self.drawn.random() < 0.7:
            return self.send(request)
        rest = memoryview(request)
        while rest:
            size = self.drawn.choice([1, 3, 17, 1000])
            self.send(rest[:size])
            rest = rest[size:]
            if len(request) < 1000 and self.drawn.random() < 0.1:
                time.sleep(0.001)

    def take(self, size):
        while len(self.buffer) < size:
            most = self.drawn.choice([7, 5000, 1 << 20])
            try:
                self._receive(self.buffer, most)
            except TimeoutError:
                raise Fault(f"{len(self.buffer)} of {size} bytes came, then nothing for {PATIENCE} s") from None
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def take_line(self):
        while b"\r\n" not in self.buffer:
            try:
                self._receive(self.buffer, 1000)
            except TimeoutError:
                raise Fault(f"no line came for {PATIENCE} s") from None
        return self.take(self.buffer.index(b"\r\n") + 2)

    def take_reply(self, size):
        """A reply of so many bytes, or of one line; invalidations may stand before it, and nowhere within."""
        while self.take_byte() == b">":
            compare("a push", self.take(21), b">2\r\n" + bulk(b"invalidate"))
            header = self.take_line()
            for _ in range(0 if header == b"_\r\n" else int(header[1:])):
                self.take(int(self.take_line()[1:]) + 2)
        return self.take_line() if size is None else self.take(size)

    def take_byte(self):
        """The next byte, which stays."""
        byte = self.take(1)
        self.buffer[:0] = byte
        return byte

    def check(self):
        asked = self.questions.some()
        request = b"".join(self.framed(words) for words, _ in asked)
        began = time.monotonic()
        writer = threading.Thread(target=self._write, args=(request,))
        writer.start()
        try:
            for index, (words, reply) in enumerate(asked):
                what = f"reply {index + 1} of {len(asked)}, to {' '.join(words)[:80]}"
                try:
                    if reply is None:
                        line = self.take_reply(None)
                        # (Where a busy machine does not even cancel in time, the connection is given up.)
                        if not line.startswith((b"-TIMEOUT ", b"-BUSY ", b"-QUERY ", b"-UNAVAILABLE held: ")):
                            raise Fault(f"was answered by {line[:200]!r}")
                    else:
                        compare("it", self.take_reply(len(reply)), reply)
                except Fault as fault:
                    raise Fault(f"{what}: {fault} (after {time.monotonic() - began:.1f} s)") from None
            if self.buffer and not self.buffer.startswith(b">"):
                raise Fault(f"more came than was asked for: {bytes(self.buffer[:100])!r}")
        finally:
            if faults:
                self.socket.close()
            writer.join()
        statistics["checked"] += len(asked)
        statistics["longest"] = max(statistics["longest"], time.monotonic() - began)

    def _write(self, request):
        try:
            self.write(request)
        except (Fault, OSError) as fault:
            faults.append(f"a checked client could not write: {fault}")


def checked(index):
    drawn = random.Random(f"checked {seed} {index}")
    client = Checked(drawn)
    while not is_over():
        client.check()
        if drawn.random() < 0.02:
            client.close()
            client = Checked(drawn)
    client.close()


# Those who are hostile.


def key(drawn):
    kind = drawn.randrange(14)
    number = drawn.randrange(3000)
    if kind < 5:
        return f"text:{number}"
    if kind < 7:
        return f"page:{number}"
    if kind < 9:
        return f"sized:{drawn.choice([0, 1, 16_384, 70_000, 213_000, 1_000_000, 3_000_000])}:{number % 5}"
    if kind == 9:
        return f"row:{number % 1000}"
    if kind == 10:
        return f"rows:{number % 50}"
    if kind == 11:
        return f"held:{number % 30}"
    if kind == 12:
        return drawn.choice(["nothing:1", "text", "sized:1", "", "row:x", "text:none", ":", "text:" + "x" * 1000])
    return "text:" + "".join(chr(drawn.randrange(1, 255)) for _ in range(drawn.randrange(20)))


COMMANDS = []
#: What would reach those who are checked, or end the test.
SPARED = {"client", "quit", "shutdown"}


def learn_commands():
    wire = Wire(path)
    wire.send(command("COMMAND", "LIST"))
    count = int(wire.read_line()[1:])
    for _ in range(count):
        line = wire.read_line()
        COMMANDS.append(wire.read(int(line[1:]) + 2)[:-2].decode() if line[:1] == b"$" else line[1:-2].decode())
    wire.close()


def random_command(drawn):
    words = ["MATCH", "COUNT", "TYPE", "0", "1", "-1", "10", "99999999999999999999", "hash", "*", "t*", "[a", "\\", "ON", "id", "text", "NX"]
    name = drawn.choice(COMMANDS)
    if name in SPARED:
        return drawn.choice(
            [
                ["CLIENT", "LIST"],
                ["CLIENT", "INFO"],
                ["CLIENT", "ID"],
                ["CLIENT", "SETNAME", f"n{drawn.randrange(100)}"],
                ["CLIENT", "NO-EVICT", "ON"],
                ["CLIENT", "LIST", "TYPE", "pubsub"],
                ["CLIENT", "KILL", "TYPE", "pubsub"],
                ["CLIENT", "TRACKING", "ON"],
                ["CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", "text:"],
                ["CLIENT", "TRACKING", "ON", "OPTIN"],
                ["CLIENT", "TRACKING", "ON", "OPTOUT", "NOLOOP"],
                ["CLIENT", "CACHING", drawn.choice(["YES", "NO"])],
                ["CLIENT", "TRACKING", "ON", "REDIRECT", str(drawn.randrange(1, 300))],
                ["CLIENT", "TRACKING", "OFF"],
                ["CLIENT", "TRACKINGINFO"],
                ["QUIT"],
            ]
        )
    arguments = [
        drawn.choice([lambda: key(drawn), lambda: key(drawn), lambda: drawn.choice(words)])()
        for _ in range(drawn.choice([0, 1, 1, 1, 2, 2, 3, 5]))
    ]
    if drawn.random() < 0.2:
        name = name.upper()
    return [name, *arguments]


def encoded(words):
    return command(*[word.encode() for word in words])


def pipeline(drawn, count):
    return b"".join(encoded(random_command(drawn)) for _ in range(count))


def heavy(drawn):
    return drawn.choice(
        [
            lambda: command("PUBSUB", "NUMPAT") * 2000,
            lambda: command("PUBSUB", "CHANNELS", "*a*") * 300,
            lambda: command("SCAN", "0", "MATCH", "*[a-c]*?*9*", "COUNT", "1000") * 200,
            lambda: command("MGET", *[f"text:{drawn.randrange(3000)}" for _ in range(20_000)]) * 3,
            lambda: command("EXISTS", *[f"text:{drawn.randrange(3000)}" for _ in range(20_000)]),
            lambda: command("CLIENT", "LIST") * 100,
            lambda: command("INFO") * 200,
            lambda: command("COMMAND", "DOCS") * 20,
            lambda: command("DEL", *[f"text:{n}" for n in range(1000)]),
            lambda: command("FLUSHALL"),
            lambda: command("GET", "sized:1000000:1") * 500,
            lambda: b"".join(command("GET", f"sized:300000:{n % 10}") for n in range(300)),
            lambda: b"".join(command("GET", f"page:{drawn.randrange(3000)}") for _ in range(3000)),
            lambda: command("GET", "held:1") * 3000,
            lambda: command("PING") * 50_000,
        ]
    )()


class Attack:
    """One connection of a hostile client."""

    def __init__(self, drawn):
        self.drawn = drawn
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(0.5)
        self.socket.connect(path)
        self.number = None

    def introduce(self):
        """Learns its number, so that others can have it killed."""
        self.socket.sendall(command("CLIENT", "ID"))
        line = self.socket.recv(100)
        if line.startswith(b":") and line.endswith(b"\r\n"):
            self.number = int(line[1:])
            killable.add(self.number)

    def read(self, time_limit, most=1 << 16):
        end = time.monotonic() + time_limit
        while time.monotonic() < end and not is_over():
            if not self.socket.recv(most):
                return

    def wait(self, most):
        end = time.monotonic() + self.drawn.random() * most
        while time.monotonic() < end and not is_over():
            time.sleep(0.01)

    def close(self):
        killable.discard(self.number)
        self.socket.close()

    # What they do.

    def commands(self):
        self.socket.sendall(pipeline(self.drawn, self.drawn.choice([1, 10, 200])))
        self.read(0.3)

    def garbage(self):
        request = bytearray(pipeline(self.drawn, 5))
        for _ in range(self.drawn.randrange(1, 6)):
            request[self.drawn.randrange(len(request))] = self.drawn.randrange(256)
        if self.drawn.random() < 0.3:
            request += self.drawn.choice([b"*999999999\r\n", b"*2\r\n$-5\r\n", b"$9\r\n", b"\0" * 5000, b"GET " * 40_000])
        self.socket.sendall(request)
        self.read(0.2)

    def never_reads(self):
        self.socket.sendall(heavy(self.drawn))
        self.wait(4)

    def reads_a_byte_now_and_then(self):
        self.socket.sendall(command("GET", "sized:1000000:2") * 20 + command("GET", "page:1") * 200)
        end = time.monotonic() + self.drawn.random() * 6
        while time.monotonic() < end and not is_over():
            if not self.socket.recv(1):
                return
            time.sleep(0.05)

    def writes_byte_by_byte(self):
        for byte in pipeline(self.drawn, 5)[:300]:
            self.socket.sendall(bytes([byte]))
        self.read(0.1)

    def shuts_half(self):
        self.socket.sendall(pipeline(self.drawn, 50))
        self.socket.shutdown(socket.SHUT_WR)
        self.read(0.5)

    def transaction(self):
        drawn = self.drawn
        parts = [command("WATCH", key(drawn).encode()), command("MULTI")] if drawn.random() < 0.5 else [command("MULTI")]
        parts += [encoded(random_command(drawn)) for _ in range(drawn.randrange(30))]
        parts.append(command(drawn.choice(["EXEC", "DISCARD", "RESET", "MULTI", "UNWATCH"])))
        self.socket.sendall(b"".join(parts))
        self.read(0.3)

    def subscribes(self):
        drawn = self.drawn
        names = [f"__key*{n}*" for n in range(drawn.choice([1, 10, 1000]))]
        self.socket.sendall(
            (command("HELLO", "3") if drawn.random() < 0.5 else b"")
            + command("SUBSCRIBE", "__keyevent@0__:loaded", "elsewhere")
            + command("PSUBSCRIBE", *names)
        )
        if drawn.random() < 0.5:
            self.read(drawn.random() * 3)
        else:
            self.wait(3)

    def changes_its_mind(self):
        words = [["HELLO", "2"], ["HELLO", "3"], ["RESET"], ["MULTI"], ["DISCARD"], ["SUBSCRIBE", "a"], ["UNSUBSCRIBE"]]
        words += [["CLIENT", "TRACKING", "ON"], ["CLIENT", "TRACKING", "OFF"]]
        self.socket.sendall(
            b"".join(
                encoded(self.drawn.choice(words) if self.drawn.random() < 0.5 else random_command(self.drawn))
                for _ in range(100)
            )
        )
        self.read(0.3)

    def tracks(self):
        drawn = self.drawn
        mode = drawn.choice([[], ["BCAST"], ["BCAST", "PREFIX", "text:", "PREFIX", "page:1"], ["OPTIN"], ["OPTOUT"], ["NOLOOP"]])
        self.socket.sendall(command("HELLO", "3") + command("CLIENT", "TRACKING", "ON", *mode) + pipeline(drawn, 100))
        if drawn.random() < 0.7:
            self.read(drawn.random() * 3)
        else:
            self.wait(3)

    def kills(self):
        for number in list(killable)[:3]:
            self.socket.sendall(command("CLIENT", "KILL", "ID", str(number)))
        self.read(0.1)

    def begins_and_leaves(self):
        self.socket.sendall(b"*2\r\n$4\r\nECHO\r\n$900000\r\n" + b"x" * self.drawn.randrange(800_000))
        self.wait(2)

    def passes_descriptors(self):
        """Its own, too: as long as that is not read, the connection has no end."""
        drawn = self.drawn
        with open("/dev/null", "rb") as other:
            for _ in range(drawn.randrange(1, 6)):
                passed = [drawn.choice([self.socket, other]).fileno()] * drawn.choice([1, 1, 2, 50])
                request = drawn.choice([b"\r\n", pipeline(drawn, 1), pipeline(drawn, 20)])
                try:
                    socket.send_fds(self.socket, [request], passed)
                except PermissionError:  # Linux 6.16 refuses it for the server
                    self.socket.sendall(request)
                if drawn.random() < 0.5:
                    self.socket.sendall(pipeline(drawn, 1))
        if drawn.random() < 0.3:
            self.socket.shutdown(socket.SHUT_WR)
        if drawn.random() < 0.5:
            self.read(0.1)

    def sends_urgent_bytes(self):
        for _ in range(self.drawn.randrange(1, 6)):
            self.socket.sendall(pipeline(self.drawn, 1))
            self.socket.send(self.drawn.choice([b"!", pipeline(self.drawn, 1)]), socket.MSG_OOB)
        if self.drawn.random() < 0.3:
            self.socket.shutdown(socket.SHUT_WR)
        if self.drawn.random() < 0.5:
            self.read(0.1)

    def works(self):
        self.socket.sendall(heavy(self.drawn))
        self.read(1)

    def asks_piece_by_piece(self):
        request = pipeline(self.drawn, 30)
        while request:
            size = self.drawn.randrange(1, 200)
            self.socket.sendall(request[:size])
            request = request[size:]
        self.read(0.2)


ATTACKS = [value for name, value in vars(Attack).items() if name not in ("introduce", "read", "wait", "close") and name[0] != "_"]


def hostile(index):
    drawn = random.Random(f"hostile {seed} {index}")
    while not is_over():
        attack = None
        try:
            attack = Attack(drawn)
            if drawn.random() < 0.5:
                attack.introduce()
            for _ in range(drawn.choice([1, 1, 2, 5])):
                drawn.choice(ATTACKS)(attack)
                statistics["attacks"] += 1
        except OSError:
            pass
        finally:
            if attack:
                attack.close()


def run(body, *arguments):
    try:
        body(*arguments)
    except Fault as fault:
        faults.append(str(fault))
    except Exception:
        faults.append(traceback.format_exc())


# When all have gone.


def afterwards():
    """Nothing is left of them, and nothing is done for them."""
    client = Wire(path)
    wanted = [b"connected_clients:1\r\n", b"waiting_request_bytes:0\r\n", b"waiting_reply_bytes:0\r\n"]
    deadline = time.monotonic() + 120
    missing = wanted
    while missing:
        if time.monotonic() > deadline:
            raise Fault(f"after all clients left INFO does not say {missing}: {said.decode()}")
        time.sleep(0.05)
        said = client.ask("INFO")
        missing = [line for line in wanted if line.split(b":")[0] in said and line.strip() not in said.split(b"\r\n")]
    deadline = time.monotonic() + 120
    while True:
        before = client.processor_time()
        time.sleep(1)
        spent = client.processor_time() - before
        if spent < 0.105:  # it comes in hundredths of a second
            break
        if time.monotonic() > deadline:
            raise Fault(f"idle, the server takes {spent:.0%} of a processor")
    client.close()


learn_commands()
threads = [threading.Thread(target=run, args=(checked, index), daemon=True) for index in range(CHECKED)]
threads += [threading.Thread(target=run, args=(hostile, index), daemon=True) for index in range(HOSTILE)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(max(0, until - time.monotonic()) + 2 * PATIENCE)
    if thread.is_alive() and not faults:
        faults.append("a client did not come to its end")
if not faults:
    run(afterwards)
print(f"seed {seed}: {statistics}", file=sys.stderr)
if faults:
    sys.exit(f"seed {seed}: {faults[0]}")
print("all is well")
