import CacheCore
import Groundwork
import Machine
import Postgres

/// What is asked in a run: a sidecar, its database, and groups with their keys.
struct Testbed: Sendable {
    /// A group and the keys that are asked for.
    struct Group: Sendable {
        var name: String
        var sql: String
        var returns: QueryGetter.Returns
        var keys: KeySet

        /// The number of a key's parts.
        var keyParts: Int { GetterQuery(sql, group: name, returns: returns, form: .plain).keyParts }
    }

    var server: ServerAddress
    var database: DatabaseSettings
    /// What is asked for in most scenarios.
    var group: Group
    /// What everybody asks for in `herd`.
    var hotGroup: Group
    /// Changes the row of a key of ``group``; nil: nothing is written.
    var write: KeyedStatement?
    var watch: DatabaseWatch
    /// In words.
    var description: String
    /// What tells the sidecar of changes, in words.
    var toldBy = ""

    /// What stands before keys in Redis, so that nothing of others is touched there.
    static let redisPrefix = "pgsidecar-bench:"

    init(
        server: ServerAddress, database: DatabaseSettings, group: Group, hotGroup: Group, description: String,
        toldBy: String
    ) throws(BenchError) {
        (self.server, self.database, self.group, self.hotGroup) = (server, database, group, hotGroup)
        (self.description, self.toldBy) = (description, toldBy)
        watch = try DatabaseWatch(database)
    }

    /// A sidecar that runs.
    init(of subject: Bench.Subject, _ options: Bench.Options) throws(BenchError) {
        let server = ServerAddress(subject.socket, password: subject.password)
        do {
            _ = try BlockingConnection.connect(to: server)
        } catch {
            throw BenchError(
                .unavailable,
                "no sidecar answers at \(subject.socket); start it, or name its socket by --socket (\(error))")
        }
        var group = Group(
            name: subject.group, sql: subject.sql, returns: subject.returns, keys: KeySet(arguments: [], prefix: ""))
        let (arguments, leftOut) = try Self.arguments(of: subject, parts: group.keyParts, count: options.keys)
        let without =
            leftOut > 0 ? ", without \(leftOut.grouped) keys that are null or have a ':' before their last part" : ""
        guard !arguments.isEmpty else {
            throw BenchError(
                .unsuitable, "there are no keys of the group '\(subject.group)' to ask for\(without)")
        }
        let isSingle = group.keyParts == 0
        group.keys = KeySet(
            arguments: isSingle ? [""] : Self.shuffled(arguments, options.seed),
            prefix: isSingle ? subject.group : "\(subject.group):")
        var hot = group
        hot.keys = group.keys.prefix(options.hotKeys)
        try self.init(
            server: server, database: subject.database, group: group, hotGroup: hot,
            description: "the group '\(subject.group)' of the sidecar at \(subject.socket)\(without)",
            toldBy: "the sidecar's settings")
        write = try subject.writeSQL.map { sql throws(BenchError) in
            let statement = KeyedStatement(sql, keyParts: group.keyParts)
            guard statement.parameterCount <= group.keyParts else {
                throw BenchError(
                    .unsuitable,
                    "--write-sql has \(statement.parameterCount) parameters, and a key of '\(group.name)' \(group.keyParts) parts"
                )
            }
            return statement
        }
    }

    /// The keys' arguments, and how many keys have none: null is no text, and each part but the last ends at a ':'.
    private static func arguments(
        of subject: Bench.Subject, parts: Int, count: Int
    ) throws(BenchError) -> (arguments: [String], leftOut: Int) {
        switch subject.keys {
        case .query(let sql):
            let rows: [[String?]]
            do {
                let session = try SQLSession(subject.database, name: "pgsidecar bench")
                let query = sql.reversed().drop { $0 == ";" || $0.isWhitespace }.reversed()
                rows = try session.run("select * from (\n\(String(query))\n) pgsidecar_keys limit \(count)")
            } catch {
                throw BenchError("the keys can't be queried", error)
            }
            let columns = rows.first?.count ?? parts
            guard columns == 1 || parts == 0 || columns == parts else {
                throw BenchError(
                    .unsuitable,
                    "the keys' query has \(columns) columns, and a key of '\(subject.group)' \(parts) parts")
            }
            let arguments = rows.compactMap { argument(of: $0) }
            return (arguments, rows.count - arguments.count)
        case .file(let path):
            let text: String
            do {
                text = try textOfFile(path)
            } catch {
                throw BenchError(.unavailable, "can't read the keys in \(path): \(error.reason)")
            }
            let prefix = "\(subject.group):"
            let arguments = text.split(whereSeparator: \.isNewline).prefix(count).map {
                $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : String($0)
            }
            return (arguments, 0)
        }
    }

    /// A key's parts as a request has them; nil when it can't.
    private static func argument(of parts: [String?]) -> String? {
        let texts = parts.compactMap(\.self)
        guard texts.count == parts.count, !texts.dropLast().contains(where: { $0.contains(":") }) else { return nil }
        return texts.joined(separator: ":")
    }

    /// So that the likeliest keys by Zipf's law are no neighbours in the database.
    static func shuffled(_ keys: [String], _ seed: UInt64) -> [String] {
        var random = SplitMix64(seed: seed)
        return keys.shuffled(using: &random)
    }
}
