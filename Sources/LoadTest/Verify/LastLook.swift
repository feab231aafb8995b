import Groundwork
import Postgres

/// When nobody writes any more: what is in the sidecar's memory has to be what is in the database.
struct LastLook {
    private let ledger: Ledger
    private let url: Secret
    private let socket: String
    private let isTold: Bool

    init(_ ledger: Ledger, url: Secret, socket: String, isTold: Bool) {
        self.ledger = ledger
        self.url = url
        self.socket = socket
        self.isTold = isTold
    }

    /// Waits until all that was committed has been told, then compares. Returns how many entries there were in memory.
    func look() async throws -> Int {
        let session = try SQLSession(url: url, name: "pgsidecar last look")
        var connection = try BlockingConnection(socket)
        if isTold { try await drain() }
        guard case .line(let size) = try connection.ask(["DBSIZE"]) else { return 0 }
        var present: [Int: Int64] = [:]
        for row in try session.run("select id, version from verified") {
            guard let id = row[0].flatMap({ Int($0) }), let version = row[1].flatMap({ Int64($0) }) else { continue }
            present[id] = version
        }
        for key in 0..<ledger.keyCount where present[key] != ledger.newest(key) {
            ledger.note(
                .permanent,
                "\(key): the database itself has \(text(present[key])), committed was \(text(ledger.newest(key)))")
        }
        for start in stride(from: 0, to: ledger.keyCount, by: Subject.shelfSize * 16) {
            let keys = Array(start..<min(start + Subject.shelfSize * 16, ledger.keyCount))
            try compareRows(of: keys, present, &connection)
            try compareShelves(of: keys, present, &connection)
        }
        return Int(size) ?? 0
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

    // MARK: All was told

    /// Waits until the stream is live, and then until it has told of a change that was made after all others.
    private func drain() async throws {
        let session = try SQLSession(url: url, name: "pgsidecar last look")
        var connection = try BlockingConnection(socket)
        let key = "value:\(Subject.lastKey(ledger.keyCount))"
        let deadline = Instant.now() + .seconds(60)
        repeat {
            guard Instant.now() < deadline else {
                return ledger.note(.permanent, "nothing is stored again after a minute")
            }
            try await Task.sleep(for: .milliseconds(20))
            _ = try connection.ask(["GET", key])
        } while try connection.ask(["PGS.PEEK", key]) == .null
        try session.run("update verified set version = 1, twin = 1 where id = \(Subject.lastKey(ledger.keyCount))")
        while Subject.value(try connection.ask(["PGS.PEEK", key])) == .version(0) {
            guard Instant.now() < deadline else { return ledger.note(.permanent, "the last change was never told") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
