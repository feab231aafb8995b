"""The three that are measured, each started on a Unix socket of its own: the floor, redis-server and pgsidecar."""

import os
import re
import shutil
import socket

import processes

FLOOR = "echo floor"
REDIS = "redis-server"
SIDECAR = "pgsidecar"


class Server:
    """What all three have in common. A subclass starts `process`, which listens at `socket_path`."""

    def __init__(self, name, process, socket_path):
        self.name = name
        self.process = process
        self.socket_path = socket_path

    def stop(self):
        self.process.stop()

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(self.socket_path)
        return client

    def wait_until_listening(self):
        def connects():
            try:
                self.connect().close()
                return True
            except OSError:
                return False

        processes.wait_until(f"{self.name} to listen", connects, self.process)

    def ask(self, *words):
        """The raw reply to one command: a line, and for a bulk string the text in place of it."""
        with self.connect() as client, client.makefile("rwb") as stream:
            stream.write(command(*words))
            stream.flush()
            line = stream.readline().rstrip(b"\r\n")
            if line.startswith(b"$") and line != b"$-1":
                return stream.read(int(line[1:])).decode(errors="replace")
            return line.decode(errors="replace")

    def info(self, section, field):
        """A number of `INFO section`, or None where it has none of that name."""
        found = re.search(rf"^{field}:(\d+)", self.ask("INFO", section), re.MULTILINE)
        return int(found.group(1)) if found else None

    def entries(self):
        return int(self.ask("DBSIZE").lstrip(":"))

    def forget_all(self):
        reply = self.ask("FLUSHALL")
        if reply != "+OK":
            raise processes.Failure(f"{self.name} answered FLUSHALL by {reply}")


def command(*words):
    encoded = [word.encode() if isinstance(word, str) else word for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


class Floor(Server):
    def __init__(self, tools, folder, request_bytes, value_bytes):
        path = os.path.join(folder, "echo.sock")
        arguments = [tools.echo, path, str(request_bytes), str(value_bytes)]
        super().__init__(FLOOR, processes.Process(arguments, os.path.join(folder, "echo.log")), path)
        self.wait_until_listening()


class Redis(Server):
    """Debian's redis-server without persistence: it writes nothing to disk and forks no child."""

    def __init__(self, folder, wait=True):
        path = os.path.join(folder, "redis.sock")
        arguments = [redis_program("redis-server"), "--port", "0", "--unixsocket", path, "--dir", folder]
        arguments += ["--save", "", "--appendonly", "no", "--tcp-backlog", "4096"]
        super().__init__(REDIS, processes.Process(arguments, os.path.join(folder, "redis.log")), path)
        if wait:
            self.wait_until_listening()

    def fill(self, keys, value):
        """SETs every key to a value, some hundred commands at a time."""
        batch = 500
        keys = list(keys)
        with self.connect() as client, client.makefile("rb") as replies:
            for first in range(0, len(keys), batch):
                part = keys[first : first + batch]
                client.sendall(b"".join(command("SET", key, value) for key in part))
                if replies.read(5 * len(part)) != b"+OK\r\n" * len(part):
                    raise processes.Failure("redis-server refused a SET")


class Sidecar(Server):
    # By group its getter's text and what it returns.
    #: The keys that redis-benchmark draws.
    VALUES = {"m": ("select v from bench_kv where k = $1", "value")}
    #: What pgbench asks, and the whole row.
    ACCOUNTS = {
        "account": ("select abalance from pgbench_accounts where aid = $1", "value"),
        "batched": ("select abalance from pgbench_accounts where aid = $1", "value"),
        "account_row": ("select * from pgbench_accounts where aid = $1", "row"),
    }
    #: The same with a query for many keys.
    BATCHES = {
        "batched": "select aid, abalance from pgbench_accounts where aid = any($1)",
    }
    #: Accounts of which a stream tells what changed.
    TOLD = {"account": ACCOUNTS["account"]}
    #: A value of 100 bytes for any argument, from no table.
    VALUES_OF_100_BYTES = {"m": ("select lpad($1, 100, 'x')", "value")}
    #: By group the table and the column that its key is, where a stream tells of changes.
    TABLES = {
        "m": ("public.bench_kv", "k"),
        "account": ("public.pgbench_accounts", "aid"),
        "batched": ("public.pgbench_accounts", "aid"),
    }
    #: A fast group, and one whose every query takes 1.5 seconds.
    NEIGHBOURS = {
        "m": ("select v from bench_kv where k = $1", "value"),
        "slow": ("select $1::text from pg_sleep(1.5)", "value"),
    }

    def __init__(
        self,
        program,
        folder,
        database,
        threads,
        groups=VALUES,
        wait=True,
        connections=4,
        ttl="0s",
        source="none",
        heartbeat="5s",
        name=SIDECAR,
        admin=None,
    ):
        """With a `source` of changes, what it needs in the database is made now and removed by `stop`."""
        path = os.path.join(folder, f"{name}.sock")
        self.config = config = os.path.join(folder, f"{name}.yaml")
        self._command = [program, "sql", "{}", "--config", config, "--apply"]
        self.source = source
        with open(config, "w") as file:
            file.write(settings(database.url, path, threads, groups, connections, ttl, source, heartbeat, admin))
        if source != "none":
            self._sql("install")
        process = processes.Process([program, "serve", "--config", config], os.path.join(folder, f"{name}.log"))
        super().__init__(name, process, path)
        if wait:
            self.wait_until_listening()
        if source != "none":
            processes.wait_until("the stream of changes", self._hears_changes, process)

    def stop(self):
        super().stop()
        if self.source != "none":
            self._sql("uninstall")

    def _sql(self, verb):
        processes.run([part.format(verb) for part in self._command])

    def _hears_changes(self):
        return "invalidation_state:live" in self.ask("INFO", "invalidation")


def settings(database_url, socket_path, threads, groups, connections, ttl, source, heartbeat, admin):
    """`connections` is None for the default, and `admin` where it does not listen."""
    lines = [
        "database:",
        f'  url: "{database_url}"',
        *([] if connections is None else [f"  connections: {connections}"]),
        "listen:",
        f"  socket: {socket_path}",
        f"threads: {threads}",
        "memory: 1GiB",
        *([] if admin is None else [f'admin: {{ listen: "{admin}" }}']),
        *([] if source == "none" else [f"invalidation: {{ source: {source}, heartbeat: {heartbeat} }}"]),
        "groups:",
    ]
    for name, (text, returns) in groups.items():
        lines += [f"  {name}:", f'    sql: "{text}"', f"    returns: {returns}", f"    ttl: {ttl}"]
        if name in Sidecar.BATCHES:
            lines += ["    batch:", f'      sql: "{Sidecar.BATCHES[name]}"']
        if source != "none":
            table, column = Sidecar.TABLES[name]
            lines += [f"    invalidate_on: [{{ table: {table}, key: [{column}] }}]"]
    return "\n".join(lines) + "\n"


def redis_program(name):
    found = shutil.which(name)
    if found is None:
        raise processes.Failure(f"{name} is not installed (Debian: apt-get install redis-server redis-tools)")
    return found
