"""The bare protocol on a bare socket, for tests that look at every byte: how requests and replies are written, and a
client that writes and reads as it is told."""

import array
import fcntl
import os
import select
import socket
import struct
import termios
import time

PATIENCE = 120  # seconds without a byte in either direction, after which the server is taken to have stopped


def command(*words):
    words = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def bulk(text):
    return b"$%d\r\n%b\r\n" % (len(text), text)


def integer(number):
    return b":%d\r\n" % number


def sequence(parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


class Fault(Exception):
    """What the server did wrong."""


class Closed(Fault):
    """The server closed the connection."""

    def __init__(self, received):
        super().__init__(f"the connection was closed after {len(received)} bytes: ...{bytes(received[-100:])!r}")
        self.received = received


class Wire:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def close(self):
        self.socket.close()

    # How to read. Each gives how much to ask the kernel for, again and again.

    @staticmethod
    def at_once():
        while True:
            yield 1 << 20

    @staticmethod
    def slowly():
        """Byte by byte, then in small pieces, then as fast as it goes."""
        for _ in range(64):
            yield 1
        for _ in range(128):
            yield 777
        while True:
            yield 1 << 20

    def exchange(self, request, size, manner):
        """Sends a request and returns the `size` bytes that come back, reading as soon as there is something."""
        received = bytearray()
        steps = manner()
        rest = memoryview(request)
        while len(received) < size:
            readable, writable, _ = select.select([self.socket], [self.socket] if rest else [], [], PATIENCE)
            if not readable and not writable:
                unsent = f"; {len(rest)} bytes could not be sent" if rest else ""
                raise Fault(self._stopped(received, size) + unsent)
            if writable:
                rest = rest[self.socket.send(rest, socket.MSG_DONTWAIT) :]
            if readable:
                self._receive(received, min(next(steps), size - len(received)))
        return received

    def write_then_read(self, request, size):
        """Sends everything by a blocking write, waits until nothing more comes by itself, and only then reads."""
        self.send(request)
        self.settle(size)
        return self.read(size)

    @staticmethod
    def _stopped(received, size):
        return f"{len(received)} of {size} bytes came, then nothing: {bytes(received[:100])!r}..."

    def send(self, request):
        """A blocking write, as most clients have it."""
        try:
            self.socket.sendall(request)
        except TimeoutError:
            raise Fault(f"a write of {len(request)} bytes blocks for good") from None
        except OSError as error:
            raise Fault(f"a write of {len(request)} bytes failed: {error}") from None

    def read(self, size):
        received = bytearray()
        while len(received) < size:
            try:
                self._receive(received, min(1 << 20, size - len(received)))
            except TimeoutError:
                raise Fault(self._stopped(received, size)) from None
        return received

    def read_line(self):
        line = bytearray()
        while not line.endswith(b"\r\n"):
            line += self.read(1)
        return bytes(line)

    def read_lines(self, count):
        """That many replies of one line, all that there are to read."""
        received = bytearray()
        while received.count(b"\n") < count:
            try:
                self._receive(received, 1 << 20)
            except TimeoutError:
                raise Fault(f"{received.count(10)} of {count} lines came, then nothing") from None
        return received.split(b"\r\n")[:-1]

    def _receive(self, received, most):
        some = self.socket.recv(most)
        if not some:
            raise Closed(received)
        received += some

    def waiting(self):
        """How many bytes wait to be read."""
        count = array.array("i", [0])
        fcntl.ioctl(self.socket, termios.FIONREAD, count)
        return count[0]

    def settle(self, size=1 << 60):
        """Waits until `size` bytes can be read, or some, and no more than a moment ago."""
        deadline = time.monotonic() + PATIENCE
        before, since = 0, time.monotonic()
        while time.monotonic() < deadline:
            now = self.waiting()
            if now >= size:
                return
            if now != before:
                before, since = now, time.monotonic()
            elif now > 0 and time.monotonic() - since > 0.02:
                return
            time.sleep(0.002)
        raise Fault("nothing came")

    def ask(self, *words):
        """A reply of one line, or of a bulk string as its text."""
        self.send(command(*words))
        line = self.read_line()
        if line.startswith(b"$") and line != b"$-1\r\n":
            return bytes(self.read(int(line[1:]) + 2)[:-2])
        return line

    # The process at the other end.

    def settle_in_memory(self):
        """Waits until the server takes no more memory: it has done all that it does while nobody reads."""
        self.settle()
        before, since = self.peak(), time.monotonic()
        while time.monotonic() - since < 0.5:
            time.sleep(0.02)
            now = self.peak()
            if now != before:
                before, since = now, time.monotonic()

    def server(self):
        return struct.unpack("iII", self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]

    def processor_time(self):
        """The seconds that the server has worked so far, in all its threads; to a hundredth."""
        with open(f"/proc/{self.server()}/stat") as file:
            # Behind the program's name in brackets, which may hold anything, the third field comes first.
            user, system = file.read().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        """From here on `peak` counts anew."""
        with open(f"/proc/{self.server()}/clear_refs", "w") as file:
            file.write("5")

    def peak(self):
        """The most bytes of memory that the server ever had (VmHWM)."""
        with open(f"/proc/{self.server()}/status") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmHWM:"))


def compare(what, got, wanted):
    if got == wanted:
        return
    at = next((i for i, (one, other) in enumerate(zip(got, wanted)) if one != other), min(len(got), len(wanted)))
    around = slice(max(at - 40, 0), at + 40)
    raise Fault(f"{what}: differs at byte {at} of {len(wanted)}: {bytes(got[around])!r} for {bytes(wanted[around])!r}")
