import CacheCore
import Glibc
import Groundwork
import Machine
import RESP

/// Figures for people and monitoring, `name:value` by lines.
enum Info: Command {
    static let name = "info"
    static let syntax = "[section ...]"
    static let topic = CommandTopic.server
    static let summary =
        "Figures by section: `server`, `clients`, `memory`, `stats`, `cpu`, `keyspace`, `groups`, `database`, "
        + "`invalidation`, `settings`, and what clients look for in `persistence`, `replication` and `cluster`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        var wanted: [String] = []
        for index in 1..<max(1, request.count) { wanted.append(request.string(at: index).lowercased()) }
        let isAll = wanted.isEmpty || wanted.contains { ["all", "default", "everything"].contains($0) }
        let context = client.server
        let sections = self.sections.filter { isAll || wanted.contains($0.name.lowercased()) }
        let text = sections.map { section in
            let lines = section.lines(context).map { "\($0.name):\(singleLine($0.value))\r\n" }
            return "# \(section.name)\r\n" + lines.joined()
        }
        reply.bytes.appendVerbatim(text.joined(separator: "\r\n"), client.version)
    }

    private typealias Line = (name: String, value: String)

    private struct Section: Sendable {
        let name: String
        let lines: @Sendable (ServerContext) -> [Line]
    }

    private static let sections = [
        Section(name: "Server", lines: server), Section(name: "Clients", lines: clients),
        Section(name: "Memory", lines: memory), Section(name: "Persistence") { _ in [("loading", "0")] },
        Section(name: "Stats", lines: statistics),
        Section(name: "Replication") { _ in [("role", "master"), ("connected_slaves", "0")] },
        Section(name: "CPU", lines: processor),
        Section(name: "Cluster") { _ in [("cluster_enabled", "0")] }, Section(name: "Keyspace", lines: keyspace),
        Section(name: "Groups", lines: groups), Section(name: "Database") { $0.information.database() },
        Section(name: "Invalidation") { $0.information.invalidation() },
        Section(name: "Settings") { $0.information.settings() },
    ]

    private static let server: @Sendable (ServerContext) -> [Line] = { context in
        let uptime = max(0, (Instant.now() - context.started).components.seconds)
        let process = ProcessFigures.now()
        return [
            ("redis_version", Hello.redisVersion), ("redis_mode", "standalone"),
            ("pgsidecar_version", context.settings.version), ("process_id", "\(getpid())"),
            ("unix_socket", context.settings.socket), ("threads", "\(context.counters.count)"),
            ("uptime_in_seconds", "\(uptime)"), ("uptime_in_days", "\(uptime / 86_400)"),
            ("open_descriptors", "\(process.openDescriptors)"), ("max_descriptors", "\(process.maxDescriptors)"),
        ]
    }

    private static let clients: @Sendable (ServerContext) -> [Line] = { context in
        let statistics = context.statistics
        return [
            ("connected_clients", "\(statistics.clients)"), ("maxclients", "\(context.admission.maxClients)"),
            ("blocked_clients", "0"), ("pending_loads", "\(statistics.pending)"),
            ("waiting_request_bytes", "\(statistics.requestBytes)"),
            ("waiting_reply_bytes", "\(statistics.replyBytes)"),
            ("tracking_clients", "\(context.directory.tracking.count)"),
        ]
    }

    private static let memory: @Sendable (ServerContext) -> [Line] = { context in
        let (used, resident) = (ProcessMemory.now(), ProcessFigures.residentBytes)
        return [
            ("used_memory", "\(used.allocated)"), ("used_memory_dataset", "\(used.dataset)"),
            ("used_memory_overhead", "\(used.overhead)"), ("used_memory_cache", "\(context.information.memoryUsed())"),
            ("used_memory_rss", "\(resident)"), ("mem_fragmentation_ratio", ratio(resident, to: used.allocated)),
            ("maxmemory", "\(context.information.memoryLimit())"), ("maxmemory_policy", context.groups.memoryPolicy),
        ]
    }

    /// With two digits after the point.
    private static func ratio(_ part: Int, to whole: Int) -> String {
        let hundredths = part * 100 / max(1, whole)
        let digits = hundredths % 100
        return "\(hundredths / 100).\(digits < 10 ? "0" : "")\(digits)"
    }

    private static let statistics: @Sendable (ServerContext) -> [Line] = { context in
        let server = context.statistics
        let groups = sum(of: context)
        let tracked = context.tracking.map(\.figures).reduce((keys: 0, readings: 0)) {
            ($0.keys + $1.keys, $0.readings + $1.readings)
        }
        return [
            ("total_connections_received", "\(server.accepted)"), ("rejected_connections", "\(server.rejected)"),
            ("total_commands_processed", "\(server.commands)"), ("protocol_errors", "\(server.protocolErrors)"),
            ("load_timeouts", "\(server.timeouts)"), ("slow_readers_closed", "\(server.slowReaders)"),
            ("keyspace_hits", "\(groups[\.hits] + groups[\.negativeHits])"), ("keyspace_misses", "\(groups[\.misses])"),
            ("stale_hits", "\(groups[\.staleHits])"), ("refreshes", "\(groups[\.refreshes])"),
            ("expired_keys", "\(groups[\.expirations])"), ("evicted_keys", "\(groups[\.evictions])"),
            ("invalidated_keys", "\(groups[\.invalidations])"), ("loads", "\(groups[\.loads])"),
            ("load_errors", "\(groups[\.loadErrors])"), ("tracking_total_keys", "\(tracked.keys)"),
            ("tracking_total_items", "\(tracked.readings)"),
            ("tracking_total_prefixes", "\(context.directory.tracking.reduce(0) { $0 + $1.prefixes.count })"),
            ("slow_loads", "\(context.information.slowLoads?.count ?? 0)"),
        ] + groups.loads.map { ($0.name, "\($0.value)") }
    }

    private static let processor: @Sendable (ServerContext) -> [Line] = { _ in
        let process = ProcessFigures.now()
        return [("used_cpu_sys", sixDigits(process.systemSeconds)), ("used_cpu_user", sixDigits(process.userSeconds))]
    }

    private static func sixDigits(_ seconds: Double) -> String {
        let microseconds = Int(seconds * 1_000_000)
        return "\(microseconds / 1_000_000).\("\(1_000_000 + microseconds % 1_000_000)".dropFirst())"
    }

    private static let keyspace: @Sendable (ServerContext) -> [Line] = { context in
        let groups = sum(of: context)
        return [("db0", "keys=\(groups[\.entries]),expires=\(groups[\.expiring]),avg_ttl=0")]
    }

    private static let groups: @Sendable (ServerContext) -> [Line] = { context in
        context.groups.map { served in
            let figures = GroupFigures(of: served.group).all.map { "\($0.name)=\($0.value)" }
            return ("group_\(served.group.name)", figures.joined(separator: ","))
        }
    }

    private static func sum(of context: ServerContext) -> GroupFigures {
        context.groups.reduce(into: GroupFigures()) { $0 += GroupFigures(of: $1.group) }
    }

    /// A value from elsewhere must not begin a line of its own.
    private static func singleLine(_ value: String) -> String {
        value.contains { $0.isNewline } ? String(value.map { $0.isNewline ? " " : $0 }) : value
    }
}
