// The settings file's vocabulary: every key, how its value is written, and what it is for. The decoder, the reference in
// docs/settings.md and the annotated Config/pgsidecar.yaml are checked against these tables.

extension Settings {
    static let keys: [Key<Settings>] = [
        Key("database", \.database, Database.keys, "The way to PostgreSQL."),
        Key("listen", \.listen, Listen.keys, "The Unix socket that clients connect to."),
        Key("threads", \.threads, .count(0...64), "Loop threads; 0 is one for every two cores, 1 to 4."),
        Key("memory", \.memory, .bytes(1 << 20...1 << 50), "Bytes for the entries of all groups together."),
        Key("log", \.log, Log.keys, "What is logged."),
        Key("drain_timeout", \.drainTimeout, .duration(), "How long a shutdown waits for what is in flight."),
        Key("defaults", \.defaults, Group.sharedKeys, "What a group has that doesn't say otherwise."),
        Key(groups: "groups", "The groups, each under its name."),
        Key(later: "invalidation"),
    ]
}

extension Settings.Database {
    static let keys: [Key<Self>] = [
        Key(
            "url", \.url, optional: .connectionString,
            "A libpq connection URL or string; without it libpq's own sources count."),
        Key("password", \.password, optional: .secret, "The password, instead of one in the URL."),
        Key(
            "connections", \.connections, .count(0...1000),
            "Database connections, over all threads; 0 is two a thread, at least 4."),
        Key("pipeline_depth", \.pipelineDepth, .count(1...1000), "Queries in flight on one connection."),
        Key(
            "connect_timeout", \.connectTimeout, .duration(from: .milliseconds(1)),
            "How long one attempt to connect may take."),
        Key("prepare", \.prepare, .onOff, "Whether the groups' queries are prepared statements."),
        Key("read_only", \.readOnly, .onOff, "Whether the database is told to refuse what a query would write."),
    ]
}

extension Settings.Listen {
    static let keys: [Key<Self>] = [
        Key("socket", \.socket, .socketPath, "The socket's path."),
        Key("mode", \.mode, .fileMode, "The permission bits of the socket file."),
        Key("group", \.group, optional: .unixGroup, "The Unix group that the socket file is given to."),
        Key("allow_users", \.allowUsers, listOf: .unixUser, "The users that may connect; without it the mode decides."),
        Key(
            "admin_users", \.adminUsers, listOf: .unixUser,
            "The users that may flush, and close other clients; without it whoever may connect."),
        Key("key_prefix", \.keyPrefix, optional: .text, "What a framework puts in front of keys, to be taken away."),
        Key("max_clients", \.maxClients, .count(1...1_000_000), "Client connections at once."),
        Key("max_request", \.maxRequest, .bytes(1 << 10...1 << 29), "Bytes of one request."),
        Key("max_output", \.maxOutput, .bytes(1 << 16...1 << 40), "Bytes of replies that may wait for one client."),
        Key("max_pipeline", \.maxPipeline, .bytes(1 << 16...1 << 40), "Bytes of requests of one client that may wait."),
        Key(
            "max_buffers", \.maxBuffers, .bytes(1 << 20...1 << 44),
            "Bytes of requests and replies that may wait, of all clients together."),
        Key("password", \.password, optional: .secret, "What a client must say with AUTH before it may ask."),
    ]
}

extension Settings.Log {
    static let keys: [Key<Self>] = [
        Key("level", \.level, .choice, "The least important level that is logged."),
        Key("format", \.format, .choice, "How a record is written."),
    ]
}

extension Settings.Group {
    /// What only a group itself can say.
    static let ownKeys: [Key<Self>] = [
        Key("query", \.query, optional: .text, "The file that the SQL stands in, a path from the settings file."),
        Key("sql", \.sql, .text, "The SQL itself, instead of a file."),
        Key("returns", \.returns, .choice, "What a reply holds: one row, one value, or all rows."),
        Key("batch", \.batch, Batch.keys, "Loads several keys by one query."),
    ]

    /// What `defaults` can say for every group.
    static let sharedKeys: [Key<Self>] = [
        Key("ttl", \.ttl, .duration(), "An entry is never served after this; 0 is no limit."),
        Key(
            "refresh_after", \.refreshAfter, .duration(),
            "From this age on an entry is served at once and reloaded in the background; 0 is never."),
        Key(
            "early_refresh", \.earlyRefresh, .onOff,
            "Whether a hit may reload an entry early, the likelier the closer expiry is."),
        Key(
            "stale_if_error", \.staleIfError, .duration(),
            "How long after ttl the last value is served when a load fails; 0 is not at all."),
        Key("idle_ttl", \.idleTTL, .duration(), "An entry that was not asked for this long is dropped; 0 is no limit."),
        Key(
            "jitter", \.jitter, .percent,
            "How much shorter than said an entry may live, so that not all expire at once."),
        Key("negative_ttl", \.negativeTTL, .duration(), "How long the absence of a row is remembered."),
        Key(
            "memory", \.memory, optional: .bytes(1 << 10...1 << 50), "This group's share at most; without it the whole."
        ),
        Key("eviction", \.eviction, .choice, "Which entry goes when there is no room."),
        Key("load_timeout", \.loadTimeout, .duration(from: .milliseconds(1)), "How long a caller waits for a load."),
        Key("max_loads", \.maxLoads, .count(1...100_000), "Loads of the group at once; more wait their turn."),
        Key(
            "max_queued_loads", \.maxQueuedLoads, .count(0...1_000_000),
            "Loads of the group that wait their turn; more fail at once."),
        Key(later: "invalidate_on"),
    ]
}

extension Settings.Group.Batch {
    static let keys: [Key<Self>] = [
        Key(
            "query", \.query, optional: .text, "The file with the SQL for several keys, a path from the settings file."),
        Key("sql", \.sql, .text, "That SQL itself, instead of a file."),
        Key("max", \.max, .count(1...10_000), "Keys in one query at most."),
    ]
}
