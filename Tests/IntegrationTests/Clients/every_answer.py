"""Every reading command, of values of every size, alone, pipelined and mixed, cold and hot, to readers of every speed: the
same bytes. every_answer.py SOCKET SUMS PROTOCOL SIZES, where SUMS is a file with the MD5 sums that PostgreSQL itself
gives, so that what is expected here is what is in the database. Says "all is well", or dies with what is not."""

import hashlib
import json
import random
import sys

from wire import Wire, bulk, command, compare, integer, sequence

path, sums, protocol, sizes = sys.argv[1], sys.argv[2], int(sys.argv[3]), list(map(int, sys.argv[4].split(",")))

#: Up to here a key takes part in pipelines; above, it is asked for alone and by a few commands.
LARGE = 1 << 20

NIL = b"_\r\n" if protocol == 3 else b"$-1\r\n"
OK = b"+OK\r\n"


def text_of(size):
    """As the test's SQL makes it: characters that JSON writes otherwise and some of several bytes come first."""
    start = 'é"\\\n\t€'.encode()
    digest = hashlib.md5(str(size).encode()).hexdigest().encode()
    rest = size if size < len(start) else size - len(start)
    return (b"" if size < len(start) else start) + (digest * (rest // 32 + 1))[:rest]


def json_of(size):
    row = {"id": str(size), "size": size, "text": text_of(size).decode()}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()


TEXTS = {size: text_of(size) for size in sizes}
ROWS = {size: json_of(size) for size in sizes}

with open(sums) as file:
    told = {int(size): (text, row) for size, text, row in (line.strip().split("|") for line in file)}
for size in sizes:
    mine = tuple(hashlib.md5(values[size]).hexdigest() for values in (TEXTS, ROWS))
    assert told[size] == mine, f"this script expects another value of {size} bytes than PostgreSQL has"


def pairs(size):
    return [(b"id", b"%d" % size), (b"size", b"%d" % size), (b"text", TEXTS[size])]


def fields(size):
    head = b"%3\r\n" if protocol == 3 else b"*6\r\n"
    return head + b"".join(bulk(name) + bulk(value) for name, value in pairs(size))


def rows(size):
    return b"[" + ROWS[size] + b"," + ROWS[size] + b"]"


def of(group, size):
    return f"{group}:{size}"


#: By the command's name: its words, the reply, and the reply while nothing of it is in memory.
COMMANDS = {
    "GET value": lambda n: (["GET", of("value", n)], bulk(TEXTS[n])),
    "GET row": lambda n: (["GET", of("row", n)], bulk(ROWS[n])),
    "GET rows": lambda n: (["GET", of("rows", n)], bulk(rows(n))),
    "GET batch": lambda n: (["GET", of("batch", n)], bulk(TEXTS[n])),
    "GET batch row": lambda n: (["GET", of("batchrow", n)], bulk(ROWS[n])),
    "GET nothing": lambda n: (["GET", f"value:no{n}"], NIL),
    "MGET": lambda n: (
        ["MGET", of("value", n), f"value:no{n}", of("row", n), of("batch", n), of("value", n)],
        sequence([bulk(TEXTS[n]), NIL, bulk(ROWS[n]), bulk(TEXTS[n]), bulk(TEXTS[n])]),
    ),
    "HGETALL": lambda n: (["HGETALL", of("row", n)], fields(n)),
    "HGET": lambda n: (["HGET", of("row", n), "text"], bulk(TEXTS[n])),
    "HGET small": lambda n: (["HGET", of("row", n), "size"], bulk(b"%d" % n)),
    "HMGET": lambda n: (
        ["HMGET", of("batchrow", n), "id", "nothing", "text"],
        sequence([bulk(b"%d" % n), NIL, bulk(TEXTS[n])]),
    ),
    "HKEYS": lambda n: (["HKEYS", of("row", n)], sequence([bulk(name) for name, _ in pairs(n)])),
    "HVALS": lambda n: (["HVALS", of("row", n)], sequence([bulk(value) for _, value in pairs(n)])),
    "HSCAN": lambda n: (
        ["HSCAN", of("row", n), "0"],
        sequence([bulk(b"0"), sequence([bulk(text) for pair in pairs(n) for text in pair])]),
    ),
    "HLEN": lambda n: (["HLEN", of("row", n)], integer(3)),
    "HEXISTS": lambda n: (["HEXISTS", of("batchrow", n), "text"], integer(1)),
    "HSTRLEN": lambda n: (["HSTRLEN", of("row", n), "text"], integer(n)),
    "STRLEN": lambda n: (["STRLEN", of("rows", n)], integer(len(rows(n)))),
    "GETRANGE": lambda n: (["GETRANGE", of("value", n), "5", "16"], bulk(TEXTS[n][5:17])),
    "GETRANGE end": lambda n: (["GETRANGE", of("batchrow", n), "-4000", "-1"], bulk(ROWS[n][-4000:])),
    "GETRANGE all": lambda n: (["GETRANGE", of("batch", n), "0", "-1"], bulk(TEXTS[n])),
    "TYPE": lambda n: (["TYPE", of("row", n)], b"+hash\r\n"),
    "EXISTS": lambda n: (["EXISTS", of("value", n), f"value:no{n}", of("row", n)], integer(2)),
    "TTL": lambda n: (["TTL", of("value", n)], integer(-1), integer(-2)),
    "PTTL": lambda n: (["PTTL", of("row", n)], integer(-1), integer(-2)),
    "TOUCH": lambda n: (["TOUCH", of("value", n), f"value:never{n}"], integer(1), integer(0)),
    "PGS.PEEK": lambda n: (["PGS.PEEK", of("value", n)], bulk(TEXTS[n]), NIL),
    "PGS.REFRESH": lambda n: (["PGS.REFRESH", of("value", n)], bulk(TEXTS[n])),
    "PING": lambda n: (["PING"], b"+PONG\r\n"),
}

client = Wire(path)
other = Wire(path)
client.socket.sendall(command("HELLO", str(protocol)))
client.settle()
client.read(client.waiting())


def ask(name, size, is_hot):
    words, reply, *cold = COMMANDS[name](size)
    return command(*words), (reply if is_hot or not cold else cold[0])


GROUPS = ("value", "row", "rows", "batch", "batchrow")


is_warm = set()


def cool(some):
    """Nothing of these sizes is in memory."""
    is_warm.difference_update(some)
    for size in some:
        keys = [of(group, size) for group in GROUPS] + [f"value:no{size}"]
        assert other.ask("DEL", *keys).startswith(b":")


def warm(some):
    """All of these sizes is in memory."""
    for size in set(some) - is_warm:
        is_warm.add(size)
        for name in [name for name in names_for(size) if name.startswith("GET ") or name == "MGET"]:
            request, reply = ask(name, size, True)
            got = client.exchange(request, len(reply), Wire.at_once)
            compare(f"{name} of {size} bytes to warm up", got, reply)


#: By its name: how a client writes its requests and reads the replies.
READERS = {
    "read at once": lambda request, size: client.exchange(request, size, Wire.at_once),
    "read slowly": lambda request, size: client.exchange(request, size, Wire.slowly),
    "written whole, then read": lambda request, size: client.write_then_read(request, size),
}


def check(what, some, asked):
    """`asked` makes pairs of a request and its reply about keys of `some` sizes. A PING shows that all is in step."""
    for reader, exchange in READERS.items():
        for heat in ("cold", "hot"):
            (warm if heat == "hot" else cool)(some)
            asks = asked(heat == "hot")
            wanted = b"".join(reply for _, reply in asks)
            try:
                compare("the replies", exchange(b"".join(request for request, _ in asks), len(wanted)), wanted)
                compare("PING afterwards", client.exchange(command("PING"), 7, Wire.at_once), b"+PONG\r\n")
            except Exception as fault:
                raise SystemExit(f"{what}, {heat}, {reader}: {fault}")


def names_for(size):
    """All commands; of what takes its time only those whose replies are as large."""
    if size <= 65536:
        return COMMANDS
    if size <= LARGE:
        return [name for name in COMMANDS if len(ask(name, size, True)[1]) > size]
    return ["GET value", "HGET", "MGET"] if size <= 16 * LARGE else ["GET value"]


def alone():
    for size in sizes:
        for name in names_for(size):
            check(f"{name} of {size} bytes, alone", [size], lambda is_hot: [ask(name, size, is_hot)])


def pipelined():
    some = [size for size in sizes if size <= LARGE]
    for name in COMMANDS:
        check(f"{name}, pipelined", some, lambda is_hot: [ask(name, size, is_hot) for size in some])


def mixed(seed, transaction):
    """Whether one command finds what another one before it brings is the sidecar's affair: cold ones don't ask that."""
    some = [size for size in sizes if size <= LARGE]
    drawn = random.Random(seed)
    order = [(name, size) for name in COMMANDS for size in some]
    drawn.shuffle(order)
    told_by_memory = ("TTL", "PTTL", "TOUCH", "PGS.PEEK")

    def asked(is_hot):
        asks = [ask(*pair, is_hot) for pair in order if is_hot or pair[0] not in told_by_memory]
        if not transaction:
            return asks
        # The replies of all come in the one of EXEC.
        queued = [(request, b"+QUEUED\r\n") for request, _ in asks]
        return [(command("MULTI"), OK), *queued, (command("EXEC"), sequence([reply for _, reply in asks]))]

    check(f"mixed (seed {seed}){' in MULTI' if transaction else ''}", some, asked)


alone()
pipelined()
for seed in range(2):
    mixed(seed, transaction=False)
mixed(2, transaction=True)
print("all is well")
