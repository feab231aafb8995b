"""redis-py's own client-side cache, over the bridge of docs/clients.md since it does not start over a Unix socket:
client_side_cache.py SOCKET."""

import sys
import time

import redis
from redis.cache import CacheConfig

from socat import bridged, patience

with bridged(sys.argv[1]) as port:
    client = redis.Redis(port=port, decode_responses=True, protocol=3, cache_config=CacheConfig(), retry=patience)
    other = redis.Redis(unix_socket_path=sys.argv[1], decode_responses=True)

    def gets():
        return other.info()["group_owner"]["gets"]

    assert client.get("owner:1") == "Ada"
    before = gets()
    assert all(client.get("owner:1") == "Ada" for _ in range(100))
    assert gets() == before, "what is kept is not asked for"
    assert other.delete("owner:1") == 1
    deadline = time.monotonic() + 120
    while gets() == before:
        assert time.monotonic() < deadline, "an invalidation did not reach the client's cache"
        assert client.get("owner:1") == "Ada"
    client.close()
print("all is well")
