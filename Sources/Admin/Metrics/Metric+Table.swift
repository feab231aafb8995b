import CacheCore

extension Metric {
    /// Every metric, in the order of `/metrics` and of docs/metrics.md, which `make docs` writes from here.
    package static let all: [Metric] = sidecar + groups + clients + database + stream + process

    private static let sidecar: [Metric] = [
        Metric(
            name: "pgsidecar_build_info", kind: .gauge, labels: [("version", "the program's version")],
            help: "1, with the version as a label."
        ) { [Sample(labels: [("version", $0.version)], value: 1)] },
        .single(.gauge, "pgsidecar_ready", "Whether /readyz says so: 1 or 0.", of: { $0.isReady ? 1 : 0 }),
        Metric(
            name: "pgsidecar_ready_check", kind: .gauge,
            labels: [("check", "`serving`, `database`, `stream`, `warm_start`")],
            help: "Whether one of the things holds that /readyz goes by: 1 or 0."
        ) { statistics in
            statistics.checks.map { Sample(labels: [("check", $0.name)], value: $0.isOk ? 1 : 0) }
        },
        .single(
            .gauge, "pgsidecar_memory_limit_bytes", "What entries may take, the setting memory.",
            of: \.memory.limitBytes),
        .single(
            .gauge, "pgsidecar_memory_used_bytes", "What entries of all groups take, overhead included.",
            of: \.memory.usedBytes),
    ]

    private static let groups: [Metric] = [
        .byGroup(
            .counter, "pgsidecar_gets_total", "result",
            "Lookups by how they were answered: from memory with a value or with \"no such row\", or by a load.",
            [
                .init("hit", \.figures.hits), .init("negative_hit", \.figures.negativeHits),
                .init("miss", \.figures.misses),
            ]),
        .byGroup(
            .counter, "pgsidecar_stale_hits_total", "Callers that got the last value in place of a failed load.",
            \.figures.staleHits),
        .byGroup(
            .counter, "pgsidecar_loads_total", "cause",
            "Loads by what began them: a miss, a hit that had its entry refreshed, a change (on_change: reload).",
            [
                .init("miss", { $0.figures.loads - $0.figures.refreshes - $0.figures.reloads }),
                .init("refresh", \.figures.refreshes), .init("reload", \.figures.reloads),
            ]),
        .byGroup(
            .counter, "pgsidecar_shared_loads_total", "Loads that served more than one caller.", \.figures.sharedLoads),
        .byGroup(
            .counter, "pgsidecar_load_errors_total", "Loads that ended with an error, refused ones included.",
            \.figures.loadErrors),
        .loadDuration(
            "pgsidecar_load_duration_seconds",
            "How long loads took from the moment when max_loads let them through, failed ones included."),
        .byGroup(
            .gauge, "pgsidecar_flights", "state", "Loads under way: running, or waiting for their turn (max_loads).",
            [.init("running", \.runningLoads), .init("queued", \.queuedLoads)]),
        .byGroup(
            .counter, "pgsidecar_unkept_loads_total", "reason",
            "Loads whose value was delivered and not kept: the key was invalidated meanwhile (fenced), the value may not "
                + "be kept at the moment (transient), or is larger than the group's memory.",
            [
                .init("fenced", \.figures.fenced), .init("transient", \.figures.transient),
                .init("too_large", \.figures.tooLarge),
            ]),
        .byGroup(.gauge, "pgsidecar_entries", "Entries in memory.", \.figures.entries),
        .byGroup(.gauge, "pgsidecar_entries_bytes", "What they take, overhead included.", \.figures.bytes),
        .byGroup(.counter, "pgsidecar_expirations_total", "Entries that went for time.", \.figures.expirations),
        .byGroup(.counter, "pgsidecar_evictions_total", "Entries that went for space.", \.figures.evictions),
        .byGroup(
            .counter, "pgsidecar_invalidations_total", "Entries that went because the database changed, or by command.",
            \.figures.invalidations),
        .single(
            .counter, "pgsidecar_slow_loads_total", "Loads that took longer than slowlog.longer_than.",
            of: \.slowLoadCount),
    ]

    private static let clients: [Metric] = [
        .single(.gauge, "pgsidecar_clients", "Clients that are connected.", of: \.clients.connected),
        .single(.counter, "pgsidecar_clients_accepted_total", "Clients that were let in.", of: \.clients.accepted),
        .single(
            .counter, "pgsidecar_clients_rejected_total",
            "Clients that were refused: too many, or not an allowed user.",
            of: \.clients.rejected),
        .single(.counter, "pgsidecar_commands_total", "Requests that were executed.", of: \.clients.commands),
        .single(
            .counter, "pgsidecar_protocol_errors_total", "Requests that were malformed.", of: \.clients.protocolErrors),
        .single(
            .counter, "pgsidecar_load_timeouts_total", "Callers whose load_timeout passed before the answer came.",
            of: \.clients.timeouts),
        .single(
            .counter, "pgsidecar_slow_readers_closed_total",
            "Clients that were closed because what they are sent could wait no longer.",
            of: \.clients.slowReaders),
        .single(.gauge, "pgsidecar_pending_requests", "Requests that wait for a load.", of: \.clients.pending),
        .byLabel(
            .gauge, "pgsidecar_buffered_bytes", "kind", "Bytes of requests and replies that wait.",
            [.init("request", \.clients.requestBytes), .init("reply", \.clients.replyBytes)]),
    ]

    private static let database: [Metric] = [
        .byLabel(
            .gauge, "pgsidecar_database_connections", "state",
            "Database connections: those that take loads, attempts to connect, and those that are missing beyond them.",
            [
                .init("ready", \.database.connectionsReady), .init("connecting", \.database.connectionsConnecting),
                .init("missing") { statistics in
                    let there = statistics.database.connectionsReady + statistics.database.connectionsConnecting
                    return max(0, statistics.database.connectionsWanted - there)
                },
            ]),
        .single(
            .counter, "pgsidecar_database_connections_made_total", "Database connections that were made.",
            of: \.database.connectionsMade),
        .single(
            .counter, "pgsidecar_database_connections_lost_total", "Database connections that were lost.",
            of: \.database.connectionsLost),
        .single(
            .gauge, "pgsidecar_database_circuit_open",
            "Whether loads fail at once because the database does not answer: 1 or 0.",
            of: { $0.database.circuit == "closed" ? 0 : 1 }),
        .single(
            .counter, "pgsidecar_database_loads_sent_total", "Loads that were sent to the database, retries included.",
            of: \.database.loadsSent),
        .single(
            .counter, "pgsidecar_database_loads_retried_total", "Loads that were sent a second time.",
            of: \.database.loadsRetried),
        .single(
            .gauge, "pgsidecar_database_loads_queued", "Loads that wait for a database connection.",
            of: \.database.loadsQueued),
        .membership(
            "pgsidecar_group_failing", "Whether loads of the group fail: 1 or 0.", \.database.failingGroups),
        .membership(
            "pgsidecar_group_degraded", "Whether the group's query does not fit the database's tables: 1 or 0.",
            \.database.degradedGroups),
    ]

    private static let stream: [Metric] = [
        .single(
            .gauge, "pgsidecar_stream_live",
            "Whether all changes are heard of: 1 or 0. Absent, as all of these, when nothing tells of changes.",
            of: { $0.stream.map { $0.state == "live" ? 1 : 0 } }),
        .single(
            .counter, "pgsidecar_stream_losses_total", "How often the stream of changes was lost.", of: \.stream?.losses
        ),
        .single(.counter, "pgsidecar_stream_changes_total", "Changes of tables that came.", of: \.stream?.changes),
        .single(.counter, "pgsidecar_stream_keys_total", "Keys that they made stale.", of: \.stream?.keys),
        .single(
            .counter, "pgsidecar_stream_flushes_total", "How often they made a group stale as a whole.",
            of: \.stream?.flushes),
        .single(
            .counter, "pgsidecar_stream_misread_total",
            "Changes that could not be read, each of which flushed everything.",
            of: \.stream?.misread),
        .single(
            .gauge, "pgsidecar_stream_refused_groups", "Groups that store nothing, as their tables can't be followed.",
            of: { $0.stream?.refusedGroups.count }),
        .single(
            .gauge, "pgsidecar_stream_delay_seconds", "How long the stream's last sign of life took.",
            { $0.stream?.delaySeconds }),
        .single(
            .gauge, "pgsidecar_stream_lag_bytes",
            "How far it was behind the end of the write-ahead log (source: logical).",
            { $0.stream?.lagBytes.map(Double.init) }),
        .single(
            .gauge, "pgsidecar_stream_held_transactions",
            "Transactions that were heard of and that loads did not see yet (source: logical).",
            of: \.stream?.heldTransactions),
        .single(
            .counter, "pgsidecar_verify_checked_total",
            "Entries that were compared with the database (verify.rate). Absent without it.", of: \.verify?.checked),
        .single(
            .counter, "pgsidecar_verify_mismatches_total", "Of those, the ones that stayed stale beyond verify.bound.",
            of: \.verify?.mismatches),
    ]

    private static let process: [Metric] = [
        .single(
            .counter, "process_cpu_seconds_total", "Processor time, in the program and in the kernel.",
            { $0.process.cpuUserSeconds + $0.process.cpuSystemSeconds }),
        .single(
            .gauge, "process_resident_memory_bytes", "What the kernel has of it in memory.",
            of: \.process.residentBytes),
        .single(.gauge, "process_virtual_memory_bytes", "Its address space.", of: \.process.virtualBytes),
        .single(
            .gauge, "pgsidecar_allocated_bytes", "What malloc and the cache's pages hold.",
            of: \.process.allocatedBytes),
        .single(.gauge, "process_open_fds", "Open file descriptors.", of: \.process.openDescriptors),
        .single(.gauge, "process_max_fds", "How many there may be.", of: \.process.maxDescriptors),
        .single(
            .gauge, "process_start_time_seconds", "When it started, in seconds since 1970.", { $0.process.startTime }),
    ]
}
