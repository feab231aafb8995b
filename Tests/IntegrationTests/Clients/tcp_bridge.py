"""A client that knows only TCP, over the line that docs/clients.md has for it: tcp_bridge.py SOCKET."""

import sys

import redis

from socat import bridged, patience

with bridged(sys.argv[1]) as port:
    client = redis.Redis(port=port, decode_responses=True, retry=patience)
    assert client.get("owner:1") == "Ada"
    with client.pipeline() as pipeline:
        assert pipeline.get("owner:1").get("owner:2").execute() == ["Ada", "Zoë"]
    client.close()
print("all is well")
