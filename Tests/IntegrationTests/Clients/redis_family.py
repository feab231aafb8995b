"""redis-py of any version from 4 on, and valkey-py, its twin: redis_family.py SOCKET MODULE. Says "all is well", or dies."""

import asyncio
import importlib
import sys

path, name = sys.argv[1], sys.argv[2]
redis = importlib.import_module(name)
error_type = redis.ResponseError


def check(client):
    assert client.ping() is True
    assert client.get("owner:1") == "Ada"

    # The default pipeline is a transaction.
    with client.pipeline() as pipeline:
        pipeline.get("owner:2").hgetall("account:1").mget("owner:1", "owner:99").get("owner:99")
        assert pipeline.execute() == ["Zoë", {"id": "1", "owner": "Ada"}, ["Ada", None], None]
    with client.pipeline() as pipeline:
        pipeline.get("owner:1").get("owner:Ada").get("owner:2")
        ada, refused, zoe = pipeline.execute(raise_on_error=False)
        assert (ada, zoe) == ("Ada", "Zoë") and isinstance(refused, error_type), (ada, refused, zoe)
    with client.pipeline() as pipeline:
        pipeline.get("owner:1").set("owner:1", "Eve")
        try:
            pipeline.execute()
            raise SystemExit("SET was taken")
        except error_type as error:
            assert "PostgreSQL" in str(error), error

    # What was invalidated while it was watched makes EXEC say nil, and the client try again.
    seen = []

    def reading(pipeline):
        seen.append(pipeline.get("owner:1"))
        if len(seen) == 1:
            client.delete("owner:1")
        pipeline.multi()
        pipeline.get("owner:1")

    assert client.transaction(reading, "owner:1") == ["Ada"]
    assert seen == ["Ada", "Ada"]

    # Who is connected, in fields that each version reads.
    client.client_setname("shop")
    assert client.client_info()["name"] == "shop"
    assert [entry["name"] for entry in client.client_list(client_id=[str(client.client_id())])] == ["shop"]
    other = redis.Redis(unix_socket_path=path)
    assert other.ping()
    assert client.client_kill_filter(_id=other.client_id()) == 1

    assert client.type("account:1") == "hash" and client.type("owner:1") == "string"
    assert client.strlen("owner:1") == 3
    assert client.object("encoding", "owner:1") == "raw"
    assert client.memory_usage("owner:1") > 0
    assert client.get("pausing:1") == "1" and client.slowlog_len() > 0
    assert any("LOAD pausing:1 queue" in str(load["command"]) for load in client.slowlog_get(-1))
    assert client.time()[0] > 1_700_000_000
    assert client.role()[0] in ("master", b"master")
    assert client.pubsub_numpat() == 0
    assert list(client.hscan_iter("account:1")) == [("id", "1"), ("owner", "Ada")]
    assert client.command_getkeys("MGET", "a", "b") == ["a", "b"]
    client.close()


async def check_asyncio():
    client = importlib.import_module(name + ".asyncio")
    client = (client.Redis if name == "redis" else client.Valkey)(unix_socket_path=path, decode_responses=True)
    assert await asyncio.gather(*(client.get(f"owner:{1 + n % 2}") for n in range(20))) == ["Ada", "Zoë"] * 10
    async with client.pipeline() as pipeline:
        assert await pipeline.get("owner:1").get("owner:2").execute() == ["Ada", "Zoë"]
    await (client.aclose() if hasattr(client, "aclose") else client.close())


major = int(redis.__version__.split(".")[0]) if name == "redis" else 6
for protocol in [2, 3] if major >= 5 else [2]:
    options = {"protocol": protocol} if major >= 5 else {}
    check(redis.Redis(unix_socket_path=path, decode_responses=True, **options))
asyncio.run(check_asyncio())
print("all is well")
