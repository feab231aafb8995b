import CacheCore
import Foundation
import Glibc
import Groundwork
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// A server that is reached by TLS, whose records hold more than libpq reads at once.
@Suite(.timeLimit(.minutes(10)))
struct TLSTests {
    @Test func `values of every length around a record's come whole over TLS`() async throws {
        let folder = "/tmp/pgs-tls-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try makeCertificate(in: folder)
        let port = Int.random(in: 20_000..<30_000)
        let server = try await Server.fresh([
            "listen_addresses": "127.0.0.1", "port": "\(port)", "ssl": "on",
            "ssl_cert_file": "\(folder)/cert.pem", "ssl_key_file": "\(folder)/key.pem",
        ])
        let text = QueryGetter(name: "text", sql: "select repeat('x', $1::int)", returns: .value)
        let secure = QueryGetter(
            name: "secure", sql: "select ssl::text || $1 from pg_stat_ssl where pid = pg_backend_pid()", returns: .value
        )
        let bench = try Bench(
            "postgresql://postgres@127.0.0.1:\(port)/postgres?sslmode=require", loops: 1,
            settings: { $0.connections = 1 }, [text, secure])
        #expect(await bench.load("secure", "") == .text("true"))
        // One at a time: nothing else wakes the loop.
        for length in Array(stride(from: 7_000, to: 40_000, by: 487)) + [65_536, 200_000, 1_000_000, 5_000_000] {
            #expect(await bench.load("text", "\(length)") == .text(String(repeating: "x", count: length)))
        }
        bench.trust()
        let lengths = (0..<64).map { 6_000 + 900 * $0 }
        let answers = await bench.loadTogether("text", lengths.map { "\($0)" })
        #expect(answers == lengths.map { .text(String(repeating: "x", count: $0)) })
        #expect(bench.database.status.connectionsLost == 0)
        await bench.stop()
        await server.remove()
    }

    /// A key and a certificate for it, readable by the server's user.
    private func makeCertificate(in folder: String) throws {
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-new", "-x509", "-days", "2", "-nodes", "-subj", "/CN=localhost",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-out", "\(folder)/cert.pem", "-keyout", "\(folder)/key.pem",
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        try #require(openssl.terminationStatus == 0)
        chmod("\(folder)/key.pem", 0o600)
        guard getuid() == 0, let postgres = getpwnam("postgres") else { return }
        chown("\(folder)/key.pem", postgres.pointee.pw_uid, postgres.pointee.pw_gid)
        chown("\(folder)/cert.pem", postgres.pointee.pw_uid, postgres.pointee.pw_gid)
    }
}
