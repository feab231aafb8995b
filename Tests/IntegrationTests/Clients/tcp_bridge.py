"""A client that knows only TCP, over the line that docs/clients.md has for it: tcp_bridge.py SOCKET."""

import socket
import subprocess
import sys

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
bridge = subprocess.Popen(["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"UNIX-CONNECT:{sys.argv[1]}"])
try:
    patience = Retry(ConstantBackoff(0.05), 200)
    client = redis.Redis(port=port, decode_responses=True, retry=patience)
    assert client.get("owner:1") == "Ada"
    with client.pipeline() as pipeline:
        assert pipeline.get("owner:1").get("owner:2").execute() == ["Ada", "Zoë"]
    client.close()
finally:
    bridge.terminate()
    bridge.wait()
print("all is well")
