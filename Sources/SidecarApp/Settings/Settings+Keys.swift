import Admin
import CacheCore
import Groundwork
import Invalidation
import Postgres
import Server

// The settings file's vocabulary: every key, how its value is written, and what it is for. The decoder goes by these tables,
// and `make docs` writes docs/settings.md and Config/pgsidecar.yaml from them.

extension Settings {
    static let keys: [SettingKey<Settings>] = [
        SettingKey("database", \.database, databaseKeys, "The way to PostgreSQL."),
        SettingKey(
            "listen", \.self, listenKeys, "The Unix socket that clients connect to, and what one client may use."),
        SettingKey(
            "threads", \.threads, .count(0...64),
            "Loop threads; 0 is one for every two cores, at least one and at most four.",
            more: """
                Each has its own share of the client and database connections. One loop answers well over a hundred thousand requests a second, twenty times that when they are pipelined, \
                the more it has at once the less each one costs, and the other cores are the application's.
                """
        ).fixed,
        SettingKey(
            "memory", \.memory, .bytes(1 << 20...1 << 50),
            "The bytes of the entries of all groups together: keys, values and overhead.",
            more: "At this bound the entries that were not asked for longest make room."),
        SettingKey("log", \.log, Log.keys, "What is logged."),
        SettingKey(
            "drain_timeout", \.drainTimeout, .duration(),
            "How long SIGTERM waits for what is in flight before the process ends."),
        SettingKey(
            "warm_start", \.warmStart, WarmStart.keys,
            "What a restart begins with, so that it does not meet a cold cache."),
        SettingKey("admin", \.admin, adminKeys, "Metrics, health and a page, over HTTP."),
        SettingKey("slowlog", \.slowLog, slowLogKeys, "Which loads `SLOWLOG` tells of."),
        SettingKey("invalidation", \.invalidation, invalidationKeys, "How changes in the database are heard of.").fixed,
        SettingKey("verify", \.verify, verifyKeys, "What is compared with the database while pgsidecar serves.").fixed,
        SettingKey("defaults", \.defaults, Group.sharedKeys, "What a group has that doesn't say otherwise itself."),
        SettingKey(
            groups: "groups", "The groups, each under its name, with which its keys begin.",
            each:
                "`GET account:4711` runs the query with $1 = 4711. With n parameters the key has n parts: `teller:1:7`."
        ),
    ]

    private static let adminKeys: [SettingKey<AdminSettings>] = [
        SettingKey(
            "listen", \.listen, optional: .adminAddress,
            "Where `/metrics`, `/livez`, `/readyz`, `/stats.json`, `/events` and a page are served.",
            more: """
                Without it nothing of this runs. No password is asked for, and there is no TLS: whoever reaches the address \
                sees figures, the names of groups, and the texts of the database's errors, which may name hosts and users. \
                An address that can't be had is tried again until it can, and logged once. [metrics.md](metrics.md) has \
                every metric.
                """,
            example: "127.0.0.1:9187"
        ).fixed,
        SettingKey(
            "show_keys", \.showsKeys, .onOff,
            "Whether keys are told there: those of slow loads, and those that are asked for most.",
            more: """
                Keys may be what not every user of the machine is to know, and unlike the socket of `listen.socket` a port \
                has no owner.
                """),
    ]

    private static let slowLogKeys: [SettingKey<SlowLoads.Settings>] = [
        SettingKey(
            "longer_than", \.longerThan, .durationUnlessZero,
            "Loads that take at least so long are noted, with what they waited for; 0 is none.",
            more: """
                It counts from the first caller's question to the end. `SLOWLOG GET` and `/stats.json` tell of them.
                """),
        SettingKey("keep", \.keep, .count(0...10_000), "How many of them are kept, the last ones."),
        SettingKey("redact_keys", \.redactsKeys, .onOff, "Whether their keys are left out."),
    ]

    private static let invalidationKeys: [SettingKey<InvalidationSettings>] = [
        SettingKey(
            "source", \.source, .choice,
            "What tells of changes: triggers that send a `NOTIFY`, logical replication, or nothing.",
            more: """
                A group says by `invalidate_on` which tables concern it. `pgsidecar sql install --config FILE` prints the SQL \
                that either source needs.
                """),
        SettingKey(
            "url", \.url, optional: .connectionString,
            "Where the stream of changes connects to, if not to `database.url`.",
            more: """
                Neither `LISTEN` nor replication goes through a pooler such as PgBouncer, and `NOTIFY` does not reach a \
                standby: with loads over one of these, give the server itself here.
                """,
            example: "postgresql://pgsidecar@db1/app"),
        SettingKey(
            "password", \.password, optional: .secret,
            "The password, beside `invalidation.url` without one.",
            example: "${DATABASE_PASSWORD}"),
        SettingKey(
            "on_stream_loss", \.onStreamLoss, .choice,
            "What becomes of groups with `invalidate_on` while nobody tells of changes.",
            more: """
                With `flush` their entries go, and what is loaded is delivered and not stored until the stream is back. With \
                `serve_until_ttl` they go on as without a stream, so each of them needs a `ttl`: no value is older than that. \
                When the stream is back they are flushed in either case, since nobody knows what was missed.
                """),
        SettingKey(
            "heartbeat", \.heartbeat, .duration(from: .milliseconds(100), to: .seconds(3600)),
            "How often the stream is made to say that it is alive; what says nothing for that long is lost."),
        SettingKey(
            "channel", \.channel, .name,
            "The channel that the triggers notify, with `source: notify`.",
            more: """
                Settings files with the same channel share triggers. Any role may send any notification, so what comes there \
                can make entries stale, and nothing else.
                """),
        SettingKey(
            "publication", \.publication, .name,
            "The publication that is decoded, with `source: logical`."),
    ]

    private static let verifyKeys: [SettingKey<Verify>] = [
        SettingKey(
            "rate", \.rate, .exactPercent,
            "For each so many hits an entry is loaded once more and compared; 0% is none.",
            more: """
                That is for groups with `invalidate_on` and while changes are heard of: a value that is still the old one \
                after `verify.bound` is counted (`verify_mismatches` in `INFO`), logged and dropped. In turn one of the keys \
                that are asked for most and the next one in memory. It costs a hit nothing; the database is asked one thing \
                at a time, at most 50 times a second, and not while loads wait.
                """),
        SettingKey(
            "bound", \.bound, .duration(from: .milliseconds(100)),
            "How long an entry may differ from the database before that is a mismatch."),
    ]

    private static let databaseKeys: [SettingKey<DatabaseSettings>] = [
        SettingKey(
            "url", \.url, optional: .connectionString,
            "A connection URL or string, whatever libpq takes.",
            more: """
                Several hosts, `target_session_attrs`, `sslmode`, `service` and the rest are libpq's own. Without it, libpq's \
                sources count: the `PG*` variables, the service file, and for the password `PGPASSWORD` or the password \
                file. Keep passwords out of the file: `password: ${DATABASE_PASSWORD}`.

                One sidecar is one trust domain: it has one database role, and what that role may read, every client may \
                ask for.
                """,
            example: "postgresql://app@db1,db2/app?target_session_attrs=read-write"
        ).fixed,
        SettingKey(
            "password", \.password, optional: .secret,
            "The password, beside a URL without one.",
            more: """
                It may hold any letter or sign, where in a URL `@`, `/`, `:` and `%` have to be written as `%40` and so on. \
                It goes before one in the URL.
                """,
            example: "${DATABASE_PASSWORD}"),
        SettingKey(
            "connections", \.connections, .count(0...1000),
            "Database connections in all, spread over the threads; 0 is two for each thread, at least four.",
            more: """
                One group is in flight on all but one of a thread's connections at most, and nothing is sent behind a query \
                that is not known to be short. So with two or more a thread no group can take all of them, however slow its \
                queries are or become; with more of them, more slow queries run side by side.
                """),
        SettingKey(
            "pipeline_depth", \.pipelineDepth, .count(1...1000),
            "Queries in flight on one connection.",
            more: "More loads than `connections` times this wait inside pgsidecar."),
        SettingKey(
            "connect_timeout", \.connectTimeout, .duration(from: .milliseconds(1)),
            "How long libpq tries one address before it goes on to the next host or address of the URL.",
            more: """
                libpq counts whole seconds, at least two; a `connect_timeout` in the URL goes before. Each answer to what a \
                new connection asks before it is used, such as what columns a group's query has, may take as long again: a \
                query whose table is locked holds it up. Connecting happens on a thread of its own, so neither this time \
                nor a slow name server delays a client that asks for what is in memory.
                """),
        SettingKey(
            "connection_lifetime", \.connectionLifetime, .durationUnlessZero,
            "A connection is made anew after this time, or up to a tenth of it sooner; 0 is never.",
            more: """
                One after the other: the new one is there before the old one gets no more loads. So connections follow a name \
                server or a load balancer, or come back to a host that was away, and server processes don't grow old. \
                `PGS.RECONNECT` does it at once.
                """),
        SettingKey(
            "prepare", \.prepare, .onOff,
            "Whether each group's query is a prepared statement.",
            more: """
                Turn it off for a pooler that can't keep those, such as PgBouncer in transaction mode without \
                `max_prepared_statements`. With `on` such a pooler costs a second try for each load whose statement got \
                lost, and a warning; after a few of them pgsidecar goes on as with `off`.
                """),
        SettingKey(
            "read_only", \.readOnly, .onOff,
            "Whether the database is told to refuse what a group's query would write.",
            more: """
                That is `nextval`, `delete ... returning`, a row lock. It is the session's `default_transaction_read_only`, \
                given as a startup option. A pooler refuses or drops such options; then each transaction begins with the \
                order, which costs a round of the server's work for each. With a service file, which libpq reads by itself, \
                put `options=-c default_transaction_read_only=on` there to save that.
                """),
    ]

    private static let listenKeys: [SettingKey<Settings>] = [
        SettingKey(
            "socket", \.listen.socket, .socketPath,
            "The path of the Unix socket.",
            more: """
                A relative path is relative to the folder that pgsidecar was started in. Its folder must exist. With \
                systemd's socket activation, systemd's socket counts instead.
                """
        ).fixed,
        SettingKey(
            "mode", \.listen.mode, .fileMode,
            "The permission bits of the socket file: who may write to the file may connect."
        ).fixed,
        SettingKey(
            "group", \.listen.group, optional: .unixGroup,
            "The Unix group that the socket file is given to.",
            more: "So the applications in that group may connect. pgsidecar's user must be in it, or be root.",
            example: "www-data"
        ).fixed,
        SettingKey(
            "allow_users", \.listen.allowedUsers, listOf: .unixUser,
            "The users that may connect, by what the kernel says of the client's process (`SO_PEERCRED`).",
            more: "Others are closed at once, even if the file's mode admits them. Without it the mode decides alone.",
            example: "[app, 1001]"),
        SettingKey(
            "admin_users", \.listen.adminUsers, listOf: .unixUser,
            "The users that may run `FLUSHALL`, `FLUSHDB`, `PGS.FLUSH` and `CLIENT KILL`.",
            more: """
                Who they are the kernel says, as for `allow_users`. Others get a `NOPERM` error. Without it whoever may \
                connect may run them.
                """,
            example: "[ops]"),
        SettingKey(
            "key_prefix", \.keyPrefix, optional: .text,
            "What a framework puts in front of keys, such as Django's `:1:`, to be taken away.",
            more: """
                Where a key begins with it, the key then begins with its group's name; keys without it are asked for as they \
                are. [clients.md](clients.md) tells which frameworks do so.
                """,
            example: "\":1:\""
        ).fixed,
        SettingKey(
            "max_clients", \.listen.maxClients, .count(1...1_000_000),
            "Client connections at once; one more gets an error and is closed.",
            more: """
                The process's limit of open files (`LimitNOFILE=`, `ulimit -n`) must leave room for them beside what the \
                database's connections take: where it does not, there may be fewer clients, and a warning says how many.
                """),
        SettingKey(
            "max_request", \.listen.maxRequest, .bytes(1 << 10...1 << 29),
            "The bytes of one request.",
            more: "A longer one is a protocol error, and its connection is closed."
        ).fixed,
        SettingKey(
            "max_output", \.listen.maxOutput, .bytes(1 << 16...1 << 40),
            "The bytes of replies that may wait for one client.",
            more: """
                They wait because it doesn't read them or because an earlier reply is not there yet. What a load brings \
                beyond it is let go, and the request is executed again at its turn. A single reply that is larger is an \
                error, and a subscriber for whom more would have to wait is closed.
                """
        ).fixed,
        SettingKey(
            "max_pipeline", \.listen.maxPipeline, .bytes(1 << 16...1 << 40),
            "The bytes of requests of one client that may wait for their turn.",
            more: """
                So much a client may write before it reads any reply. Beyond it the client is not read from until requests \
                were executed.
                """
        ).fixed,
        SettingKey(
            "max_buffers", \.listen.maxBuffers, .bytes(1 << 20...1 << 44),
            "The bytes of requests and replies that may wait, of all clients together, half of it for each.",
            more: """
                It should be at least twice `max_output`. At the bound replies of more than 16 KiB wait, and so do clients that \
                have many. When one has waited for two seconds, clients go that would need more than ten to read what they \
                hold, or to send the rest of a request, until there is room. The first 16 KiB of each client's requests don't count. What clients keep \
                between their requests (transactions, watched keys, subscriptions) may take half of what requests may; beyond \
                it the next such request is an error.
                """
        ).fixed,
        SettingKey(
            "max_tracking", \.listen.maxTracking, .bytes(1 << 16...1 << 40),
            "The bytes of what is known of clients' own caches (`CLIENT TRACKING`): which key who read.",
            more: """
                At the bound clients are told of changes that there were not, and so drop what they could no longer be told \
                of. A key that one client read takes about 300 bytes. Clients that track with `BCAST` take none of it.
                """
        ).fixed,
        SettingKey(
            "password", \.listen.password, optional: .secret,
            "What a client must say with `AUTH`, or in `HELLO`, before it may ask.",
            more: "Without it none is asked for.",
            example: "${PGSIDECAR_PASSWORD}"
        ).fixed,
    ]
}

extension Settings.WarmStart {
    static let keys: [SettingKey<Self>] = [
        SettingKey(
            "file", \.file, optional: .text,
            "Where the keys that were asked for last are written down; after a start they are loaded again.",
            more: """
                They are written at SIGTERM and each `interval`, with mode 0600, whole or not at all; the values are not. A relative \
                path is relative to the folder that pgsidecar was started in. After a start they are loaded while clients are \
                served, of each group not more at once than half of its `max_loads`, and only while no client's load waits; \
                `INFO` says `warm_start:done` when they are there, and so does `/readyz`. A damaged file, or one that another version \
                wrote, is a line in the log and a cold start.
                """,
            example: "/var/lib/pgsidecar/recent-keys"),
        SettingKey(
            "keys", \.keys, .count(0...1_000_000), "So many keys of each group at most.",
            more: "Of all groups together as many as fit into 64 MiB."),
        SettingKey(
            "interval", \.interval, .duration(from: .milliseconds(100)), "How often they are written down."),
    ]
}

extension Settings.Log {
    static let keys: [SettingKey<Self>] = [
        SettingKey(
            "level", \.level, .choice,
            "The least important level that is logged.",
            more: """
                SQL text and keys' values are never logged above `debug`, credentials at no level.

                The log goes to standard error, a record a line. It never holds up what is served: when nobody reads it, \
                records are dropped, and so they are when one place in the program says more than 100 at once or 10 a \
                second; the log tells how many.
                """),
        SettingKey(
            "format", \.format, .choice,
            "How a record is written.",
            more: """
                `text` is the time, the level, the message and `name=value` for what belongs to it; `json` is an object with \
                `time`, `level`, `message` and `metadata`. When systemd reads the log (`JOURNAL_STREAM`), each line begins \
                with its priority, such as `<4>` for a warning, and a text has no time, since the journal has it.
                """
        ).fixed,
    ]
}
