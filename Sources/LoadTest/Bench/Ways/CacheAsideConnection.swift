import DequeModule
import Postgres

/// Asks a Redis server, and the database for what that does not have, which it then stores there: as applications do it.
final class CacheAsideConnection: AskConnection, RespLinkOwner, GetterConnectionOwner {
    /// Where a way by Redis leads.
    struct Route: Sendable {
        /// The Redis server.
        let server: ServerAddress
        /// What is stored lives so long, in seconds.
        let timeToLive: Int
        let database: DatabaseSettings
        let query: GetterQuery
    }

    /// What a reply of Redis belongs to.
    private enum Pending {
        case get(due: Int64, keys: [Int])
        case set
    }

    var inFlight = 0
    var freeSince: Int64 = 0
    var isListed = false

    private weak let owner: LoadLoop?
    private let route: Route
    private let shape: RequestShape
    /// Nil while there is no connection.
    private var link: RespLink?
    private let database: DatabaseLink
    private var pending: Deque<Pending> = []
    /// What the database is asked for, the oldest first.
    private var loads: Deque<(due: Int64, keys: [Int])> = []

    init(
        _ route: Route, shape: RequestShape, owner: LoadLoop, completion: @escaping @Sendable ((any Error)?) -> Void
    ) throws(ConnectionError) {
        (self.route, self.shape, self.owner) = (route, shape, owner)
        database = DatabaseLink(route.database, route.query, keepsValues: true, on: owner.loop)
        link = try RespLink(route.server, on: owner.loop, input: owner.input, owner: self)
        database.owner = self
        database.connect(completion)
    }

    var unanswered: [Int64] {
        pending.compactMap { if case .get(let due, _) = $0 { due } else { nil } } + loads.map(\.due)
    }

    func ask(_ count: Int, due: Int64?) {
        guard let owner else { return }
        guard let link else { return owner.fail(count, of: self, "there is no connection") }
        var asked: [[Int]] = []
        while asked.count < count, let keys = owner.drawKeys() {
            shape.appendHead(to: &link.output)
            for key in keys { owner.keys.appendBulk(key, to: &link.output) }
            asked.append(keys)
        }
        let due = due ?? owner.dueNow
        for keys in asked { pending.append(.get(due: due, keys: keys)) }
        link.flush()
        if asked.count < count { owner.becameFree(self, by: count - asked.count, at: owner.now) }
    }

    func reconnect() {
        guard let owner else { return }
        if link == nil { link = try? RespLink(route.server, on: owner.loop, input: owner.input, owner: self) }
        database.connect()
    }

    func close() {
        link?.close()
        link = nil
        database.close()
    }

    // MARK: What Redis says

    func link(_ link: RespLink, received plain: Int, at now: Int64) {
        guard let owner else { return }
        var answered = 0
        for _ in 0..<plain {
            guard case .get(let due, _)? = pending.popFirst() else { continue }
            owner.answered(1, due: due, at: now, missing: 0)
            answered += 1
        }
        if answered > 0 { owner.becameFree(self, by: answered, at: now) }
    }

    func link(_ link: RespLink, receivedWithout missing: [Int], at now: Int64) {
        guard let owner, case .get(let due, let keys)? = pending.popFirst() else { return }
        let absent = missing.compactMap { keys.indices.contains($0) ? keys[$0] : nil }
        guard database.isConnected else { return owner.fail(1, of: self, "there is no connection to the database") }
        loads.append((due, absent))
        database.ask(absent.map { owner.keys.key($0) })
    }

    func link(_ link: RespLink, receivedError text: String, at now: Int64) {
        // A SET that is refused costs the next ask a query, which the figures show.
        guard let owner, case .get? = pending.popFirst() else { return }
        owner.failed(1, text, at: now)
        owner.becameFree(self, by: 1, at: now)
    }

    func link(_ link: RespLink, lost reason: ConnectionError) {
        link.close()
        self.link = nil
        let lost = pending.count { if case .get = $0 { true } else { false } }
        pending.removeAll()
        owner?.fail(lost, of: self, "\(reason)")
    }

    // MARK: What the database says

    func connection(_ connection: GetterConnection, answered answer: consuming GetterConnection.Answer) {
        guard let owner, let load = loads.popFirst() else { return }
        let now = owner.now
        if let failure = answer.failure {
            owner.failed(1, failure, at: now)
        } else {
            store(answer.values, of: load.keys)
            owner.answered(1, due: load.due, at: now, missing: answer.missing)
        }
        owner.becameFree(self, by: 1, at: now)
    }

    private func store(_ values: [[UInt8]?], of keys: [Int]) {
        guard let link, let owner else { return }
        let life = "\(route.timeToLive)"
        for (value, key) in zip(values, keys) {
            guard let value else { continue }
            link.output.append(contentsOf: "*5\r\n$3\r\nSET\r\n".utf8)
            owner.keys.appendBulk(key, to: &link.output)
            link.output.append(contentsOf: "$\(value.count)\r\n".utf8)
            link.output.append(contentsOf: value)
            link.output.append(contentsOf: "\r\n$2\r\nEX\r\n$\(life.utf8.count)\r\n\(life)\r\n".utf8)
            pending.append(.set)
        }
        link.flush()
    }

    func connection(_ connection: GetterConnection, lost reason: String) {
        let lost = loads.count
        loads.removeAll()
        owner?.fail(lost, of: self, reason)
    }
}
