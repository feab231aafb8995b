"""The bridge of docs/clients.md from TCP to the Unix socket, for clients that know only TCP or need it."""

import contextlib
import socket
import subprocess

from redis.backoff import ConstantBackoff
from redis.retry import Retry

# As long as it may take until socat listens.
patience = Retry(ConstantBackoff(0.05), 200)


@contextlib.contextmanager
def bridged(path):
    """The TCP port that leads to the socket at `path`, as long as the block runs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    bridge = subprocess.Popen(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"UNIX-CONNECT:{path}"])
    try:
        yield port
    finally:
        bridge.terminate()
        bridge.wait()
