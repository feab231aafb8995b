import CLibPQ
import Foundation
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Invalidation
@testable import Postgres

/// A database of a test's own, an administrator in it, and one who listens.
final class ChangeBench {
    let url: String
    let name: String
    let administrator: SQLSession
    private let listener: OpaquePointer
    private var marks = 0

    /// - Parameter options: Behind `create database`.
    init(_ options: String = "") async throws {
        let server = try await TestPostgres.shared()
        name = "t" + UUID().uuidString.filter { $0 != "-" }.lowercased()
        _ = try await server.psql("create database \(name) \(options)")
        url = "\(server.url)&dbname=\(name)"
        administrator = try SQLSession(Self.settings(url))
        listener = try #require(PQconnectdb(url + "&client_encoding=UTF8"))
        let result = PQexec(listener, "listen pgsidecar; listen other")
        try #require(PQresultStatus(result) == PGRES_COMMAND_OK, "\(String(cString: PQerrorMessage(listener)))")
        PQclear(result)
    }

    deinit { PQfinish(listener) }

    static func settings(_ url: String) -> DatabaseSettings {
        var settings = DatabaseSettings()
        settings.url = Secret(url)
        // On a busy machine five seconds are not enough.
        settings.connectTimeout = .seconds(60)
        return settings
    }

    /// A session of a user, who connects with `options` such as `&user=app`.
    func session(_ options: String = "") throws -> SQLSession {
        try SQLSession(Self.settings(url + options))
    }

    func run(_ sql: String) throws { try administrator.run(sql) }

    /// How the triggers of a rule stand.
    func standing(_ table: String, _ key: [String] = [], channel: String = "pgsidecar") throws -> TriggerStanding {
        try TriggerStanding(
            of: TableRule(table: TableName(sql: table), key: key), channel: channel, in: administrator)
    }

    /// Makes the triggers of a rule, as `sql install --apply` does.
    func install(_ table: String, _ key: [String] = [], channel: String = "pgsidecar") throws {
        let standing = try standing(table, key, channel: channel)
        #expect(standing.mistake == nil)
        if let sql = standing.installation { try run(sql) }
        _ = try heard()
    }

    /// What was notified since the last call, in order, with its channel.
    func payloads() throws -> [(channel: String, payload: [UInt8])] {
        marks += 1
        // What was committed before is in the queue before it.
        try run("notify pgsidecar, 'mark \(marks)'")
        var payloads: [(String, [UInt8])] = []
        let deadline = Instant.now() + .seconds(60)
        while Instant.now() < deadline {
            PQconsumeInput(listener)
            while let found = PQnotifies(listener) {
                defer { PQfreemem(found) }
                let text = Array(UnsafeBufferPointer(start: found.pointee.extra, count: strlen(found.pointee.extra)))
                let payload = text.map { UInt8(bitPattern: $0) }
                if payload == Array("mark \(marks)".utf8) { return payloads }
                payloads.append((String(cString: found.pointee.relname), payload))
            }
            var wait = pollfd(fd: PQsocket(listener), events: Int16(POLLIN), revents: 0)
            _ = poll(&wait, 1, 100)
        }
        throw ConnectError(description: "nothing was heard")
    }

    /// The changes that were told since the last call.
    func heard() throws -> [TableChange] {
        try payloads().map { _, payload in
            guard case .change(let change) = NotifyPayload(payload) else {
                throw ConnectError(description: "not a change: \(String(decoding: payload, as: UTF8.self))")
            }
            return change
        }
    }

    /// The keys that were told of since the last call, sorted, each once, parts joined by `|`, NULL as `-`; and `*` for any row
    /// of the table.
    func keys() throws -> [String] {
        var keys: Set<String> = []
        for change in try heard() {
            switch change.what {
            case .all: keys.insert("*")
            case .rows(let rows):
                for row in rows.arrays {
                    keys.insert(
                        row.map { $0.map { String(decoding: $0, as: UTF8.self) } ?? "-" }.joined(separator: "|"))
                }
            }
        }
        return keys.sorted()
    }
}
