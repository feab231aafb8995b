"""coredis, with its typed asynchronous client: coredis_py.py SOCKET. Says "all is well", or dies with what is not."""

import asyncio
import sys

import coredis


async def main():
    async with coredis.Redis(unix_socket_path=sys.argv[1], decode_responses=True) as client:
        assert await client.get("owner:1") == "Ada"
        assert await client.hgetall("account:1") == {"id": "1", "owner": "Ada"}
        assert await client.mget(["owner:1", "owner:99"]) == ("Ada", None)
        async with client.pipeline(transaction=True) as pipeline:
            one, two = pipeline.get("owner:1"), pipeline.get("owner:2")
        assert (await one, await two) == ("Ada", "Zoë")
        assert (await client.client_info())["resp"] in (3, "3")
        assert await client.pttl("owner:1") > 0


asyncio.run(main())
print("all is well")
