"""redis-py against pgsidecar: redis_py.py SOCKET PROTOCOL. Says "all is well", or dies with what is not."""

import json
import sys

import redis

path, protocol = sys.argv[1], int(sys.argv[2])
client = redis.Redis(unix_socket_path=path, protocol=protocol, decode_responses=True, client_name="shop")

assert client.ping() is True
assert client.client_getname() == "shop"

# One row, one value, rows, none.
assert json.loads(client.get("account:1")) == {"id": 1, "owner": "Ada", "note": None}
assert client.get("owner:1") == "Ada"
assert json.loads(client.get("accounts")) == [{"id": 1}, {"id": 2}]
assert client.get("account:99") is None
assert client.mget("owner:1", "owner:99", "owner:2") == ["Ada", None, "Zoë"]

# Columns. A null one is absent.
assert client.hgetall("account:1") == {"id": "1", "owner": "Ada"}
assert client.hget("account:1", "owner") == "Ada"
assert client.hget("account:1", "note") is None
assert client.hmget("account:2", "owner", "note", "nothing") == ["Zoë", "a note", None]

# What is in memory, and what is not.
assert client.exists("owner:1", "owner:99", "owner:2") == 2
assert 0 < client.ttl("owner:1") <= 60
assert 0 < client.pttl("owner:1") <= 60_000
assert client.ttl("owner:12345") == -2
assert client.touch("owner:1") == 1
assert client.delete("owner:1") == 1
assert client.delete("owner:1") == 0
assert client.unlink("owner:2") == 1
assert client.ttl("owner:1") == -2
assert client.get("owner:1") == "Ada"

# A pipeline, one of whose requests fails, which is not the others' trouble.
with client.pipeline(transaction=False) as pipeline:
    pipeline.get("owner:1").get("owner:Ada").hgetall("account:2").get("owner:2")
    ada, error, row, zoe = pipeline.execute(raise_on_error=False)
assert (ada, zoe) == ("Ada", "Zoë")
assert isinstance(error, redis.ResponseError), error
assert row == {"id": "2", "owner": "Zoë", "note": "a note"}

# All keys in memory, by pages.
for number in range(100):
    client.get(f"owner:{1000 + number}")
found = list(client.scan_iter("owner:1?", count=7)) + list(client.scan_iter("owner:10??", count=7))
assert sorted(found) == sorted(set(found)), found
assert list(client.scan_iter("account:1")) == ["account:1"]
assert client.dbsize() > 3

# What it tells of itself.
assert client.info("server")["pgsidecar_version"]
assert client.info()["group_owner"]["gets"] > 100
assert client.config_get("maxmemory")["maxmemory"]
assert any(entry["name"] == "shop" for entry in client.client_list())
assert client.command_count() > 20

# What it does not do, it says, and goes on.
try:
    client.set("owner:1", "Eve")
    raise SystemExit("SET was taken")
except redis.ResponseError as error:
    assert "PostgreSQL" in str(error), error
assert client.get("owner:1") == "Ada"

assert client.flushdb() is True
assert client.dbsize() == 0

print("all is well")
