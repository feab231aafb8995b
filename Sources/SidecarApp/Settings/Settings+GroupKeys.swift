import CacheCore
import Invalidation

extension Settings.Group {
    /// What only a group itself can say.
    static let ownKeys: [SettingKey<Self>] = [
        SettingKey(
            "query", \.query, optional: .text,
            "The file that the query stands in, a path from the settings file's folder.",
            more: "A group has this or `sql`.",
            example: "sql/account.sql"),
        SettingKey(
            "sql", \.sql, .text,
            "The query itself, instead of a file.",
            example: "select aid, bid, abalance from pgbench_accounts where aid = $1"),
        SettingKey(
            "returns", \.returns, .choice,
            "What a reply holds: `row` is one row as a JSON object, `value` one column's text, `rows` an array of all rows.",
            more: """
                A `row` is a Redis hash, too, with `HGETALL`. A `value` of type `bytea` is its bytes. `rows` is `[]` when there \
                are none. [types.md](types.md) shows each type in each form. For `row` and `value` more than one row for a \
                key is an error, since which of them is meant would be chance.
                """),
        SettingKey("batch", \.batch, Batch.keys, "Keys that are asked for together are loaded by one query."),
        SettingKey(
            "invalidate_on", \.invalidateOn, each: TableRule(table: TableName(schema: "", name: ""), key: []),
            TableRule.keys, expects: "a list of tables, each { table: schema.name, key: [columns] }",
            "The tables that the group's query reads, so that a change there makes the entries concerned stale at once.",
            more: """
                It needs `invalidation.source`. `key` has the columns of that table whose values are the parts of the group's \
                key, in the order of the query's parameters: a row that comes, goes or is changed invalidates the key that \
                they make, and one in which they are changed the old key and the new one. Without `key` any change of the \
                table flushes the group. A query that joins several tables lists each of them; a view's tables are listed, not \
                the view. What is not listed is not heard of.

                ```yaml
                groups:
                  account:
                    sql: select * from account where id = $1
                    invalidate_on:
                      - { table: public.account, key: [id] }
                  orders:
                    sql: select o.*, c.name from "Order" o join currency c using (code) where o.branch = $1 and o.number = $2
                    invalidate_on:
                      - { table: 'public."Order"', key: [branch, number] }
                      - { table: public.currency }
                ```

                Names are written as in SQL: what is not in double quotes is folded to lower case. A row with NULL in one of \
                the columns is nobody's key, and so is one with a `:` in a part of its key before the last, since no client can \
                ask for that.
                """,
            example: "[{ table: public.pgbench_accounts, key: [aid] }]"),
    ]

    /// What `defaults` can say for every group.
    static let sharedKeys: [SettingKey<Self>] = [
        SettingKey(
            "ttl", \.rules.timeToLive, .durationUnlessZero,
            "An entry is never served when it is older than this; 0 is no limit."),
        SettingKey(
            "refresh_after", \.rules.refreshAfter, .durationUnlessZero,
            "From this age on an entry is served at once and reloaded in the background; 0 is never.",
            more: """
                It is reloaded by one load however many clients ask: nobody waits for a hot key. Less than `ttl`, which stays \
                the hard end.
                """),
        SettingKey(
            "early_refresh", \.rules.earlyRefresh, .onOff,
            "Whether a hit may reload an entry before its time, the likelier the closer its end and the dearer its load.",
            more: "So a hot key hardly ever expires (XFetch, Vattani et al. 2015). It needs no `refresh_after`."),
        SettingKey(
            "stale_if_error", \.rules.staleIfError, .duration(),
            "How long after `ttl` the last value is served when a load fails; 0 is not at all: the error goes out.",
            more: """
                A load fails when the database is down, or does not answer in time, or too many loads wait. The value is \
                counted as a stale hit.
                """),
        SettingKey(
            "idle_ttl", \.rules.idleTimeToLive, .durationUnlessZero,
            "An entry that nobody asked for for this long is dropped, however fresh it is; 0 is no limit."),
        SettingKey(
            "jitter", \.rules.jitter, .percent,
            "By up to this share an entry lives shorter than `ttl` and is refreshed sooner than `refresh_after`.",
            more: "So keys that were loaded together don't expire together."),
        SettingKey(
            "negative_ttl", \.rules.negativeTimeToLive, .duration(),
            "How long pgsidecar remembers that there is no row for a key; 0 is not at all.",
            more: "With 0 each ask goes to the database."),
        SettingKey(
            "memory", \.rules.memory, .share(1 << 10...1 << 50),
            "The bytes of one group's entries at most, not more than `memory`.",
            more: """
                Without it a group may have all of `memory`. An entry that is larger than its group's share, or whose key has \
                more than 32 KiB, is delivered and not stored.
                """,
            example: "64MiB"),
        SettingKey(
            "eviction", \.rules.eviction, .choice,
            "Which entry goes when there is no room.",
            more: """
                `lru` is the one that was not asked for the longest, to a second; `sieve` the oldest that was not asked for \
                since the last look at it; `s3-fifo` newcomers that nobody asks for again. The latter two keep what is asked \
                for often when many keys are asked for once (docs/benchmarks.md has hit ratios). `s3-fifo` remembers those \
                that went, in up to 16 bytes an entry.
                """),
        SettingKey(
            "load_timeout", \.rules.loadTimeout, .duration(from: .milliseconds(1)),
            "How long a client waits for a load; then it gets an error.",
            more: "A database connection that hangs this long is given up."),
        SettingKey(
            "max_loads", \.rules.maxLoads, .count(1...100_000),
            "Loads of the group at once, one query each; more wait their turn.",
            more: """
                After a restart, when every key is cold, the database sees no more than this. In a group with a `batch` it is \
                this many queries too, batches or single keys; each thread has its share of them.
                """),
        SettingKey(
            "max_queued_loads", \.rules.maxQueuedLoads, .count(0...1_000_000),
            "Loads of the group that wait their turn; beyond it a client gets `-BUSY` at once.",
            more: "Or it gets the last value where `stale_if_error` allows."),
        SettingKey(
            "on_change", \.onChange, .choice,
            "What becomes of an entry whose row changed, in a group with `invalidate_on`.",
            more: """
                With `drop` it is loaded when it is asked for next. With `reload` it is loaded at once if it was in memory, so \
                that nobody waits for a hot key; until then who asks waits, and nobody gets the old value.
                """),
    ]
}

extension Settings.Group.Batch {
    static let keys: [SettingKey<Self>] = [
        SettingKey(
            "query", \.query, optional: .text,
            "The file with a query that loads several keys, a path from the settings file's folder.",
            more: batching,
            example: "sql/accounts.sql"),
        SettingKey(
            "sql", \.sql, .text, "That query itself, instead of a file.",
            example: "select aid, aid, bid, abalance from pgbench_accounts where aid = any($1)"),
        SettingKey(
            "max", \.max, .count(1...10_000), "Keys in one query at most.",
            more: "More keys go out as several queries."),
    ]

    private static let batching = """
        With it (or `batch.sql`), the keys that are asked for at the same moment, by one MGET or by many clients, go out as \
        one query; while as many queries of the group are under way on a thread as it has database connections, later ones \
        gather until one of them returns, or until they fill a query.

        The query takes one array for each part of the key: `$1` holds the first parts, `$2` the second ones. Its first columns \
        are the key's parts; the columns behind them are those that the group's own query gives:

        ```yaml
        groups:
          account:
            sql: select aid, bid, abalance from pgbench_accounts where aid = $1
            batch:
              sql: select aid, aid, bid, abalance from pgbench_accounts where aid = any($1)
          teller:
            sql: select * from teller where branch = $1 and number = $2
            batch:
              sql: |
                select branch, number, t.* from teller t
                where (branch, number) in (select * from unnest($1::int[], $2::int[]))
        ```

        Which row is which key's is decided by PostgreSQL, by the `=` of the columns' types: `account:007` finds the row of 7. \
        So the first columns are to be equal to what was asked for: a query that looks for `lower(email)` gives `lower(email)` \
        only where the group's own query, too, finds a row for keys in lower case alone; else it gives the key as it was \
        asked, from `unnest($1::text[])`. A key without a row is missing. What a batch can't settle is asked for by the \
        group's own query, key by key: a key that brings more rows than it may, keys without a row beside rows that are no \
        key's, and every key of a batch that was refused because of one (a text that is no number, say). So a client gets the \
        same answers and errors as without a batch, to the byte; a key that is alone is asked for by the group's own query, \
        too. A batch in a group whose own query has no parameter is a mistake, and so is one whose columns behind the key are \
        not those of the group's own query, or whose key has a type without an equality.
        """
}

extension TableRule {
    static let keys: [SettingKey<Self>] = [
        SettingKey("table", \.table, .table, "The table."),
        SettingKey("key", \.key, inOrder: .column, "The columns that are the key's parts."),
    ]
}
