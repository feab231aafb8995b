"""Django's cache, by its own backend or another: django_cache.py SOCKET BACKEND. The settings have `key_prefix: ":1:"`."""

import json
import sys

from django.conf import settings


class JSON:
    """What Django's own backend needs in place of pickle."""

    def dumps(self, value):
        return json.dumps(value)

    def loads(self, data):
        return json.loads(data)


path, backend = sys.argv[1], sys.argv[2]
options = {
    "django.core.cache.backends.redis.RedisCache": {"serializer": JSON},
    "django_redis.cache.RedisCache": {"SERIALIZER": "django_redis.serializers.json.JSONSerializer"},
    "django_valkey.cache.ValkeyCache": {"SERIALIZER": "django_valkey.serializers.json.JSONSerializer"},
}[backend]
settings.configure(CACHES={"default": {"BACKEND": backend, "LOCATION": f"unix://{path}", "OPTIONS": options}})

from django.core.cache import cache  # noqa: E402

ada = {"id": 1, "owner": "Ada", "note": None}
assert cache.get("account:1") == ada, cache.get("account:1")
assert cache.get("account:99", "nobody") == "nobody"
assert cache.get_many(["account:1", "account:99"]) == {"account:1": ada}
assert "account:1" in cache and "account:99" not in cache
assert cache.delete("account:1")
assert cache.get("account:1") == ada
if hasattr(cache, "iter_keys"):
    assert list(cache.iter_keys("account:1*")) == ["account:1"], list(cache.iter_keys("*"))
    assert cache.delete_pattern("account:*") >= 1
    assert list(cache.iter_keys("account:1*")) == []
    assert cache.get("account:1") == ada
    assert 0 < cache.ttl("account:1") <= 60
try:
    cache.set("account:1", 7)
    raise SystemExit("set was taken")
except Exception as error:  # each backend has a class of its own
    assert "PostgreSQL" in str(error), repr(error)
cache.clear()
print("all is well")
