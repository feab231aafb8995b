import Groundwork
import Postgres

/// When nobody writes any more: what is in the sidecar's memory has to be what is in the database.
///
/// It looks twice. Where what tells of changes lags far behind, all that was in memory goes by what is still to be told when the
/// last reader has gone, and the first look finds nothing to be wrong. So it has all in memory by then, changes some rows by
/// itself, and looks again.
struct LastLook {
    private let ledger: Ledger
    private let url: Secret
    private let socket: String
    private let source: Verification.Source
    private let sabotage: Verification.Sabotage?
    /// How long is waited for what is still to be told. A sidecar that can't keep up with the writers may lag far behind.
    private let patience: Duration

    init(_ ledger: Ledger, url: Secret, socket: String, _ options: Verification.Options) {
        self.ledger = ledger
        self.url = url
        self.socket = socket
        source = options.source
        sabotage = options.sabotage
        patience = max(.seconds(60), options.bound)
    }

    /// Waits until all that was committed has been told, then compares; and that twice. Returns how many entries there were in
    /// memory at the second look.
    func look() async throws -> Int {
        let session = try SQLSession(url: url, name: "pgsidecar last look")
        var connection = try BlockingConnection(socket)
        try await drain(session, &connection, round: 1)
        let present = try readAll(session)
        for key in 0..<ledger.keyCount where present[key] != ledger.newest(key) {
            ledger.note(
                .permanent,
                "\(key): the database itself has \(text(present[key])), committed was \(text(ledger.newest(key)))")
        }
        try compareAll(present, &connection)
        try changeSome(session, &connection)
        try await drain(session, &connection, round: 2)
        guard case .line(let size) = try connection.ask(["DBSIZE"]) else { return 0 }
        try compareAll(readAll(session), &connection)
        return Int(size) ?? 0
    }

    // MARK: Looking

    /// The versions of the rows that there are.
    private func readAll(_ session: SQLSession) throws -> [Int: Int64] {
        var present: [Int: Int64] = [:]
        for row in try session.run("select id, version from verified") {
            guard let id = row[0].flatMap({ Int($0) }), let version = row[1].flatMap({ Int64($0) }) else { continue }
            present[id] = version
        }
        return present
    }

    private func compareAll(_ present: [Int: Int64], _ connection: inout BlockingConnection) throws {
        for start in stride(from: 0, to: ledger.keyCount, by: Subject.shelfSize * 16) {
            let keys = Array(start..<min(start + Subject.shelfSize * 16, ledger.keyCount))
            try compareRows(of: keys, present, &connection)
            try compareShelves(of: keys, present, &connection)
        }
    }

    /// What is asked for now is answered from memory or loaded, and what is loaded now is right: so what is wrong is in memory.
    private func compareRows(of keys: [Int], _ present: [Int: Int64], _ connection: inout BlockingConnection) throws {
        let values = try connection.ask(each: keys.map { ["GET", "value:\($0)"] })
        let rows = try connection.ask(each: keys.map { ["GET", "row:\($0)"] })
        for (index, key) in keys.enumerated() {
            compare("value", key, Subject.value(values[index]), "\(values[index])", present)
            compare("row", key, Subject.row(rows[index], of: key), "\(rows[index])", present)
        }
    }

    private func compareShelves(of keys: [Int], _ present: [Int: Int64], _ connection: inout BlockingConnection) throws
    {
        let shelves = Array(Set(keys.map(Subject.shelf))).sorted()
        let replies = try connection.ask(each: shelves.map { ["GET", "shelf:\($0)"] })
        for (shelf, reply) in zip(shelves, replies) {
            let answers = Subject.shelf(reply, shelf)
            for key in shelf * Subject.shelfSize..<(shelf + 1) * Subject.shelfSize where key < ledger.keyCount {
                compare("shelf", key, answers?[key % Subject.shelfSize], "\(reply)", present)
            }
        }
    }

    private func compare(
        _ group: String, _ key: Int, _ answer: KeyHistory.Answer?, _ reply: @autoclosure () -> String,
        _ present: [Int: Int64]
    ) {
        let expected = present[key].map { KeyHistory.Answer.version($0) } ?? .absent
        guard answer != expected else { return }
        let found = answer.map { "\($0)" } ?? reply()
        ledger.note(.permanent, "\(group):\(key): memory says \(found), the database \(expected)")
    }

    private func text(_ version: Int64?) -> String { version.map { "version \($0)" } ?? "no row" }

    // MARK: Changing

    /// Changes the rows of every sixteenth key by one transaction, and tells of it as the writers did, or does what is wrong
    /// with that.
    private func changeSome(_ session: SQLSession, _ connection: inout BlockingConnection) throws {
        let keys = stride(from: 5, to: ledger.keyCount, by: 16).flatMap { Subject.keys(naming: $0) }
        let tells = source == .none && sabotage != .forget
        if tells, sabotage == .early {
            _ = try connection.ask(each: keys.map { ["DEL", $0] })
            _ = try connection.ask(each: keys.map { ["GET", $0] })
        }
        if sabotage == .silent { try session.run(Subject.silence) }
        try session.run("update verified set version = version + 1, twin = version + 1 where id % 16 = 5")
        if sabotage == .silent { try session.run(Subject.unsilence) }
        if tells, sabotage != .early { _ = try connection.ask(each: keys.map { ["DEL", $0] }) }
    }

    // MARK: All was told

    /// Waits until the stream is live, and then until it has told of a change that was made after all others.
    private func drain(
        _ session: SQLSession, _ connection: inout BlockingConnection, round: Int64
    ) async throws {
        guard source != .none else { return }
        let key = "value:\(Subject.lastKey(ledger.keyCount))"
        let deadline = Instant.now() + patience
        repeat {
            guard Instant.now() < deadline else {
                return ledger.note(.permanent, "nothing is stored again after \(patience)")
            }
            try await Task.sleep(for: .milliseconds(20))
            _ = try connection.ask(["GET", key])
        } while try connection.ask(["PGS.PEEK", key]) == .null
        try session.run(
            "update verified set version = \(round), twin = \(round) where id = \(Subject.lastKey(ledger.keyCount))")
        while Subject.value(try connection.ask(["PGS.PEEK", key])) == .version(round - 1) {
            guard Instant.now() < deadline else {
                return ledger.note(.permanent, "the last change was not told within \(patience)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
