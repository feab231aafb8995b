"""Ends a sidecar while it connects to the database: end_while_connecting.py FOLDER COMMAND... Says "all is well", or dies with what is not.

The database stops in the middle of SCRAM, where the next answer makes libpq's thread, for which nobody waits, use OpenSSL. A library that
is loaded first keeps the handlers of exit(3) from their end, behind those of OpenSSL: what they took away, that thread meets."""

import base64
import os
import signal
import socket
import struct
import subprocess
import sys
import time

PATIENCE = 120  # seconds; machines may be slow
KEEPER = """
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static void keep(void) {
    int file = open(getenv("KEPT_AT_EXIT"), O_CREAT | O_WRONLY, 0600);
    if (file >= 0) pause();
}
__attribute__((constructor)) static void begin(void) {
    if (getenv("KEPT_AT_EXIT")) atexit(keep);
}
"""

folder, command = sys.argv[1], sys.argv[2:]
kept = f"{folder}/kept"
subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", f"{folder}/keeper.so", "-"], input=KEEPER.encode(), check=True)
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.settimeout(PATIENCE)
listener.bind(f"{folder}/.s.PGSQL.5432")
listener.listen(64)


def until(is_so, what):
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.005)


def message(kind, body):
    return kind + struct.pack(">i", 4 + len(body)) + body


def is_serving():
    with open(f"{folder}/log") as log:
        return " ready " in log.read()


with open(f"{folder}/log", "wb") as log:
    sidecar = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", "env", f"LD_PRELOAD={folder}/keeper.so", f"KEPT_AT_EXIT={kept}", *command],
        stdout=log, stderr=log,
    )
while True:
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE)
    connection.recv(65536)
    if is_serving():
        break
    # It serves when the first attempts failed.
    connection.sendall(message(b"E", b"SFATAL\0VFATAL\0C57P03\0Mnot yet\0\0"))
    connection.close()

connection.sendall(message(b"R", struct.pack(">i", 10) + b"SCRAM-SHA-256\0\0"))
nonce = connection.recv(65536).split(b"r=")[1]
sidecar.send_signal(signal.SIGTERM)
until(lambda: os.path.exists(kept) or sidecar.poll() is not None, "it neither ended nor was about to")
if sidecar.poll() is None:
    salt = base64.b64encode(b"salt")
    connection.sendall(message(b"R", struct.pack(">i", 11) + b"r=" + nonce + b"x,s=" + salt + b",i=4096"))
    # The answer to that, which libpq has of OpenSSL; nothing when the process ended.
    connection.recv(65536)
    sidecar.kill()
code = sidecar.wait(PATIENCE)
with open(f"{folder}/log") as log:
    said = log.read()
assert code == 0, f"it ended with {code}: {said}"
assert "ThreadSanitizer" not in said, said
print("all is well")
