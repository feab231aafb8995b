import Groundwork
import Invalidation
import Logging
import Postgres
import Server

/// What several checks of the database look at.
struct Examination {
    /// The server, and who we are there.
    struct ServerFacts: CustomStringConvertible {
        let version: String
        let role: String
        let database: String
        /// As SQL takes it.
        let quotedRole: String
        let quotedDatabase: String

        var description: String { "PostgreSQL \(version), database \(database), role \(role)" }
    }

    let settings: Settings
    /// The settings file, for commands.
    let file: String
    /// As loads connect.
    let session: SQLSession
    /// As the stream of changes connects.
    let changesSession: SQLSession
    let server: ServerFacts
    /// What is between loads and the server.
    let pooling: Pooling
    /// What the server says of each group's query, in the settings' order.
    let descriptions: [GroupDescription]
    /// What each group's query reads, for those that the server takes, with the group's name.
    let readings: [(group: String, reading: QueryReading)]
    /// Whether something listens at the socket: a sidecar of these settings, or systemd for one.
    let isServing: Bool

    /// Connects and asks. Blocks.
    ///
    /// - Throws: `ConnectError`, or what the server said.
    init(_ settings: Settings, file: String) async throws {
        (self.settings, self.file) = (settings, file)
        let session = try SQLSession(settings.database, for: .doctor)
        self.session = session
        changesSession =
            settings.invalidation.url == nil
            ? session : try SQLSession(settings.invalidation.streamDatabase(settings.database), for: .doctor)
        let row =
            try session.run(
                """
                select pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1), current_user,
                    pg_catalog.current_database(), pg_catalog.quote_ident(current_user),
                    pg_catalog.quote_ident(pg_catalog.current_database())
                """
            ).first ?? []
        func fact(_ index: Int) -> String { row.indices.contains(index) ? row[index] ?? "" : "" }
        server = ServerFacts(
            version: fact(0), role: fact(1), database: fact(2), quotedRole: fact(3), quotedDatabase: fact(4))
        pooling = try Pooling(of: session, settings.database)
        let quiet = Logger(label: "doctor") { _ in SwiftLogNoOpLogHandler() }
        let database = Database(
            settings: settings.database, loops: [], getters: Wiring.getters(settings), logger: quiet)
        let descriptions = try await database.describe()
        self.descriptions = descriptions
        var readings: [(group: String, reading: QueryReading)] = []
        for (group, description) in zip(settings.groups, descriptions) where description.mistake?.part != .query {
            if let reading = try? QueryReading(of: group.sql, over: session) {
                readings.append((group.name, reading))
            }
        }
        self.readings = readings
        isServing = Server.standing(atPath: settings.listen.socket) == .listened
    }

    /// All tables and views that the groups read, each once.
    var relations: [QueryReading.Relation] { readings.flatMap(\.reading.relations).uniqued(by: \.name) }
}

extension Array {
    /// The first element of each name, in their order.
    func uniqued(by name: (Element) -> String) -> [Element] {
        var names: Set<String> = []
        return filter { names.insert(name($0)).inserted }
    }
}
