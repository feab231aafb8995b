"""Restarts a sidecar again and again while everybody asks, and holds its socket as systemd does (sd_listen_fds(3)):
upgrade.py SOCKET RESTARTS COMMAND... Says "all is well", or dies with what is not.

Nobody may be refused, and every request that could be sent has to be answered. Who finds that his connection takes no more
connects again: nothing was sent then."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

PATIENCE = 120  # seconds; machines may be slow
MOMENT = 0.1  # what a newcomer may take for his first request, at most; the sidecar gives twice as much

path, restarts, command = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path)
listener.listen(1024)
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)

log = open(f"{os.path.dirname(path)}/log", "ab")
stopping = threading.Event()
failures, answered, turned_away = [], {}, {}


def start():
    activate = ["sh", "-c", 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "sh"]
    guarded = ["setpriv", "--pdeathsig", "KILL", "--", *activate, *command]
    return subprocess.Popen(guarded, pass_fds=(3,), stdout=log, stderr=log)


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    client.connect(path)
    return client


def send(client, numbers):
    """Whether it was sent: of a few bytes all or nothing is."""
    try:
        client.sendall(b"".join(f"GET word:{number}\r\n".encode() for number in numbers))
        return True
    except (BrokenPipeError, ConnectionResetError):
        return False


def receive(client, numbers):
    due = b"".join(b"$%d\r\nword %d\r\n" % (len(f"word {number}"), number) for number in numbers)
    came = b""
    while len(came) < len(due):
        piece = client.recv(65536)
        assert piece, f"the connection ended after {came!r} of {due!r}"
        came += piece
    assert came == due, f"{came!r} in place of {due!r}"


def newcomer(name, numbers):
    """Connects for each request."""
    began = time.monotonic()
    client = connect()
    if send(client, numbers):
        receive(client, numbers)
    else:
        assert time.monotonic() - began > MOMENT, "a client that had just come was sent away"
        turned_away[name] += 1
    client.close()


def resident(name, numbers, connections={}):
    """Stays connected."""
    client = connections.get(name) or connect()
    if send(client, numbers):
        receive(client, numbers)
        connections[name] = client
    else:
        client.close()
        connections.pop(name, None)
        turned_away[name] += 1


def ask(name, once, width):
    count = 0
    try:
        while not stopping.is_set():
            once(name, [(count * 7 + place * 31) % 2000 + 1 for place in range(width)])
            count += 1
            answered[name] = count
    except Exception as error:
        failures.append(f"{name}, request {count}: {error!r}")


def all_go_on():
    """Each of them is answered ten times more."""
    before = dict(answered)
    deadline = time.monotonic() + PATIENCE
    while any(answered[name] < before[name] + 10 for name in before):
        assert not failures, failures
        assert time.monotonic() < deadline, f"no answer: {before}, {answered}"
        time.sleep(0.005)


process = start()
threads = []
for index in range(3):
    for once, width in ((newcomer, 1), (resident, 1), (resident, 20)):
        name = f"{once.__name__} {len(threads)}"
        answered[name], turned_away[name] = 0, 0
        threads.append(threading.Thread(target=ask, args=(name, once, width), daemon=True))
for thread in threads:
    thread.start()

for _ in range(restarts):
    all_go_on()
    process.send_signal(signal.SIGTERM)
    code = process.wait(PATIENCE)
    assert code == 0, f"it ended with {code}"
    process = start()
all_go_on()
stopping.set()
for thread in threads:
    thread.join(PATIENCE)
process.send_signal(signal.SIGTERM)
assert process.wait(PATIENCE) == 0
assert not failures, failures
# Else nobody stayed while it was restarted.
assert all(count for name, count in turned_away.items() if name.startswith("resident")), turned_away
print("all is well")
