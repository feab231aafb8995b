"""A private PostgreSQL, on a Unix socket only, that ends with the run."""

import glob
import os
import re
import shutil
import signal

import processes

#: The `pgbench -i` scale of the table that misses are measured on: 1,000,000 rows.
ACCOUNTS_SCALE = 10

#: Durable writes and housekeeping have no part in what is measured; both sides of each ratio have the same settings. Without
#: the wait for a disk a commit is as cheap as it can be, and what comes on top of it weighs as much as it can.
SETTINGS = {
    "listen_addresses": "",
    "shared_preload_libraries": "pg_stat_statements",
    "shared_buffers": "512MB",
    "max_connections": "60",
    "jit": "off",
    "fsync": "off",
    "autovacuum": "off",
    "max_wal_size": "8GB",
    "wal_level": "logical",
}


def program(name):
    """The path of a PostgreSQL program, of the newest version that Debian's layout has, else from PATH."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if found:
        return max(found, key=lambda path: float(path.split("/")[4]))
    on_path = shutil.which(name)
    if on_path is None:
        raise processes.Failure(f"{name} is not installed (Debian: apt-get install postgresql)")
    return on_path


class Database:
    """`postgres` is the role and `bench` the database; anyone on this machine may connect while it runs."""

    def __init__(self, data_parent, socket_folder):
        user = "postgres" if os.geteuid() == 0 else None
        self.socket_folder = os.path.join(socket_folder, "pg")
        os.mkdir(self.socket_folder)
        data = os.path.join(data_parent, "data")
        os.mkdir(data, 0o700)
        if user is not None:
            shutil.chown(self.socket_folder, user, user)
            shutil.chown(data, user, user)
        as_user = {"user": user, "group": user, "extra_groups": [], "cwd": "/"} if user is not None else {}
        processes.run(
            [program("initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            **as_user,
        )
        arguments = [program("postgres"), "-D", data, "-c", f"unix_socket_directories={self.socket_folder}"]
        for name, value in SETTINGS.items():
            arguments += ["-c", f"{name}={value}"]
        # SIGINT is a fast shutdown: clients are disconnected, files left whole.
        log = os.path.join(socket_folder, "postgres.log")
        self.process = processes.Process(arguments, log, user=user, stop_signal=signal.SIGINT)
        processes.wait_until("PostgreSQL to answer", self._answers, self.process)
        self.query("create database bench", database="postgres")
        self.query("create extension pg_stat_statements")
        self.query("create extension pg_prewarm")

    @property
    def url(self):
        return f"postgresql:///bench?host={self.socket_folder}&user=postgres"

    def _connection(self, database="bench"):
        return ["-h", self.socket_folder, "-U", "postgres", database]

    def _answers(self):
        ready = [program("pg_isready"), "-q", "-h", self.socket_folder, "-U", "postgres", "-d", "postgres"]
        try:
            processes.run(ready)
            return True
        except processes.Failure:
            return False

    def query(self, text, database="bench"):
        quiet = ["-XqAt", "-v", "ON_ERROR_STOP=1"]
        return processes.run([program("psql"), *quiet, "-c", text, *self._connection(database)])

    def make_values(self, count, value_bytes):
        """Table `bench_kv`: texts of twelve digits from zero, as redis-benchmark writes its random numbers."""
        self.query(
            "create table bench_kv (k text primary key, v text not null);"
            "insert into bench_kv select lpad(i::text, 12, '0'), rpad(md5(i::text), %d, md5(i::text))"
            " from generate_series(0, %d) i;"
            "analyze bench_kv;" % (value_bytes, count - 1)
        )

    def make_accounts(self):
        """pgbench's own tables, with the accounts and their index in memory."""
        processes.run([program("pgbench"), "-i", "-q", "-s", str(ACCOUNTS_SCALE), *self._connection()])
        self.query("select pg_prewarm('pgbench_accounts'), pg_prewarm('pgbench_accounts_pkey')")

    def selects_per_second(self, jobs, seconds):
        """What pgbench reads by primary key on 4 connections, each asking again when it has its answer."""
        shape = ["-S", "-M", "prepared", "-n", "-c", "4", "-j", str(jobs), "-T", str(seconds)]
        printed = processes.run([program("pgbench"), *shape, *self._connection()])
        return float(re.search(r"tps = ([0-9.]+)", printed).group(1))

    def updates_per_second(self, seconds):
        """What `pgbench -N` writes on 4 connections (one account updated and read, one row of history), transactions a second,
        and the server's time for the UPDATE alone, its triggers included, in microseconds."""
        self.forget_statistics()
        shape = ["-N", "-M", "prepared", "-n", "-c", "4", "-T", str(seconds)]
        printed = processes.run([program("pgbench"), *shape, *self._connection()])
        update = self.query(
            "select mean_exec_time * 1000 from pg_stat_statements"
            " where query ilike 'update pgbench_accounts%' order by calls desc limit 1"
        )
        return float(re.search(r"tps = ([0-9.]+)", printed).group(1)), float(update)

    def write(self, script, rate):
        """A process that runs a script of pgbench's so many times a second, by a schedule, until it is stopped."""
        path = os.path.join(self.socket_folder, "writes.sql")
        with open(path, "w") as file:
            file.write(script)
        shape = ["-f", path, "-M", "prepared", "-n", "-c", "2", "-R", str(rate), "-T", "3600"]
        log = os.path.join(self.socket_folder, "writes.log")
        return processes.Process([program("pgbench"), *shape, *self._connection()], log, stop_signal=signal.SIGINT)

    def log_position(self):
        return self.query("select pg_current_wal_insert_lsn()").strip()

    def stream_server(self):
        """The server's process at the other end of the one stream of changes."""
        return int(
            self.query("select pid from pg_stat_activity where application_name ~ '^pgsidecar (listen|replication)$'")
        )

    def forget_statistics(self):
        self.query("select pg_stat_statements_reset()")

    def account_reads(self):
        """How many queries on the accounts were run since `forget_statistics`, and how many rows they returned."""
        printed = self.query(
            "select coalesce(sum(calls), 0), coalesce(sum(rows), 0) from pg_stat_statements"
            " where query ilike '%from pgbench_accounts%' and query not ilike '%pg_stat_statements%'"
            " and query not like 'explain %'"
        )
        calls, rows = printed.split("|")
        return int(calls), int(rows)

    def client_connections(self):
        return int(
            self.query(
                "select count(*) from pg_stat_activity"
                " where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )
        )
