"""Flask-Caching: flask_caching_py.py SOCKET. The settings have `key_prefix: flask_cache_`."""

import json
import sys

from flask import Flask
from flask_caching import Cache

app = Flask(__name__)
cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": f"unix://{sys.argv[1]}"})
with app.app_context():
    assert json.loads(cache.get("account:1")) == {"id": 1, "owner": "Ada", "note": None}
    assert cache.get("account:99") is None
    assert [value and json.loads(value)["id"] for value in cache.get_many("account:2", "account:99")] == [2, None]
    assert cache.has("account:1") and not cache.has("account:99")
    assert cache.delete("account:1")
    assert json.loads(cache.get("account:1"))["owner"] == "Ada"
print("all is well")
