-- pgbench's own tables, as `pgbench -i` makes them, so that pgbench itself can write to them:
--     pgbench -n -T 10 "$DATABASE_URL"

create table pgbench_branches (
    bid int not null primary key,
    bbalance int,
    filler char(88)
);

create table pgbench_tellers (
    tid int not null primary key,
    bid int,
    tbalance int,
    filler char(84)
);

create table pgbench_accounts (
    aid int not null primary key,
    bid int,
    abalance int,
    filler char(84)
);

create table pgbench_history (
    tid int,
    bid int,
    aid int,
    delta int,
    mtime timestamp,
    filler char(22)
);
