"""Clients with caches of their own at a real sidecar, and a writer: tracking.py SOCKET SECONDS SEED DATABASE. Says "all is
well", or dies with what is not, and with the seed.

The writer changes rows of `counted(id, version)`, commits, and drops their keys; `counted:ID` is the version. What a client
keeps when a PING is answered is never older than what was dropped before it asked, and no version goes back."""

import random
import subprocess
import sys
import threading
import time

from wire import Fault, Wire, command

path, seconds, seed, database = sys.argv[1], float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
KEYS = 200
MODES = [[], ["BCAST"], ["BCAST", "PREFIX", "counted:"], ["NOLOOP"]]

until = time.monotonic() + seconds
faults = []
#: Versions before which nothing may be kept any more.
applied = [0] * KEYS
counts = {"asked": 0, "kept": 0, "pushes": 0, "written": 0}


class Caching(Wire):
    def __init__(self, mode):
        super().__init__(path)
        self.cache, self.seen, self.buffer = {}, [0] * KEYS, bytearray()
        self.send(command("HELLO", "3") + command("CLIENT", "TRACKING", "ON", *mode))
        while self.reply() != b"+OK":
            pass

    def line(self):
        while b"\r\n" not in self.buffer:
            self._receive(self.buffer, 1 << 16)
        line, _, rest = bytes(self.buffer).partition(b"\r\n")
        self.buffer = bytearray(rest)
        return line

    def value(self):
        """A bulk string's bytes, a list for what has elements (a push begins with its sign), any other line as it is."""
        head = self.line()
        if head[:1] == b"$":
            size = int(head[1:])
            while len(self.buffer) < size + 2:
                self._receive(self.buffer, 1 << 16)
            text = bytes(self.buffer[:size])
            del self.buffer[: size + 2]
            return text
        if head[:1] in (b"*", b">", b"%"):
            count = int(head[1:]) * (2 if head[:1] == b"%" else 1)
            return ([b">"] if head[:1] == b">" else []) + [self.value() for _ in range(count)]
        return head

    def reply(self):
        """The next reply; what is pushed before it is followed."""
        while True:
            value = self.value()
            if not isinstance(value, list) or value[:1] != [b">"]:
                return value
            counts["pushes"] += 1
            if isinstance(value[2], list):
                for key in value[2]:
                    if key.startswith(b"counted:"):
                        self.cache.pop(int(key[8:]), None)
            else:
                self.cache.clear()

    def keep(self, keys, texts):
        for key, text in zip(keys, texts):
            version = int(text)
            if version < self.seen[key]:
                raise Fault(f"counted:{key} goes back from {self.seen[key]} to {version}")
            self.seen[key] = self.cache[key] = version

    def check(self):
        before = list(applied)
        self.send(command("PING"))
        if self.reply() != b"+PONG":
            raise Fault("a PING was answered by something else")
        for key, version in self.cache.items():
            if version < before[key]:
                raise Fault(f"counted:{key} is kept in version {version} when {before[key]} was there")
        counts["kept"] += len(self.cache)

    def ask(self, drawn):
        keys = [drawn.randrange(KEYS) for _ in range(drawn.choice([1, 1, 5, 50]))]
        gets = b"".join(command("GET", f"counted:{key}") for key in keys)
        form = drawn.randrange(3)
        # What is kept is kept reply by reply: a push behind one of them is about it.
        if form == 0:
            self.send(gets)
            for key in keys:
                self.keep([key], [self.reply()])
        elif form == 1:
            self.send(command("MGET", *[f"counted:{key}" for key in keys]))
            self.keep(keys, self.reply())
        else:
            self.send(command("MULTI") + gets + command("EXEC"))
            for _ in range(1 + len(keys)):
                self.reply()
            self.keep(keys, self.reply())
        counts["asked"] += len(keys)


def read(index):
    drawn = random.Random(f"{seed} {index}")
    while time.monotonic() < until and not faults:
        client = Caching(MODES[index % len(MODES)])
        for _ in range(500):
            if time.monotonic() > until or faults:
                break
            client.check()
            client.ask(drawn)
        client.check()
        client.close()


def write():
    drawn = random.Random(seed)
    client = Wire(path)
    psql = subprocess.Popen(
        ["psql", "-qAtX", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        while time.monotonic() < until and not faults:
            keys = {drawn.randrange(KEYS) for _ in range(drawn.choice([1, 1, 3]))}
            psql.stdin.write(
                f"update counted set version = version + 1 where id in ({','.join(map(str, keys))}) "
                "returning id || ' ' || version;\n\\echo done\n"
            )
            written = []
            while (line := psql.stdout.readline().strip()) != "done":
                written.append(tuple(map(int, line.split())))
            drop = drawn.random()
            if drop < 0.01:
                client.ask("PGS.FLUSH", "counted")
            elif drop < 0.013:
                client.ask("FLUSHALL")
            else:
                client.ask("DEL", *[f"counted:{key}" for key in keys])
            for key, version in written:
                applied[key] = version
            counts["written"] += len(written)
            time.sleep(drawn.random() * 0.004)
    finally:
        psql.stdin.close()
        psql.wait()


def run(body, *arguments):
    try:
        body(*arguments)
    except Exception as fault:
        faults.append(f"{body.__name__}{arguments}: {fault!r}")


threads = [threading.Thread(target=run, args=(read, index)) for index in range(8)]
threads.append(threading.Thread(target=run, args=(write,)))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
if not faults and not all(counts.values()):
    faults.append(f"nothing was tried: {counts}")
print(f"seed {seed}: {counts}", file=sys.stderr)
if faults:
    sys.exit(f"seed {seed}: {faults[0]}")
print("all is well")
