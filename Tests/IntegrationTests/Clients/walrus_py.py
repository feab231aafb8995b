"""walrus, which picks containers by TYPE: walrus_py.py SOCKET. Says "all is well", or dies with what is not."""

import sys

from walrus import Database

database = Database(unix_socket_path=sys.argv[1])
account = database.Hash("account:1")
assert account.as_dict() == {b"id": b"1", b"owner": b"Ada"}, account.as_dict()
assert account["owner"] == b"Ada" and len(account) == 2 and "note" not in account
assert sorted(account.keys()) == [b"id", b"owner"]
assert dict(database.get_key("account:2").items())[b"note"] == b"a note"
assert database.get_key("owner:1") == b"Ada"
assert "account:1" in database and "account:99" not in database
print("all is well")
