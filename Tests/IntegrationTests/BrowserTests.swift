import Foundation
import PrivateDatabase
import TestSupport
import Testing

@testable import LoadTest

/// What a person sees who opens one of pgsidecar's pages, in headless Chromium.
@Suite(.timeLimit(.minutes(10)))
struct BrowserTests {
    private func look(_ script: String, _ arguments: [String]) async throws {
        let path = "\(repository)/Tests/IntegrationTests/Clients/\(script)"
        let said = try await Program(command: [try pythonPath(), path] + arguments).run()
        #expect(said == "all is well")
    }

    @Test func `the live page shows what happens, executes no key, and says when the sidecar is away`() async throws {
        let database = try await TestDatabase.shared()
        let settings = """
            database: { url: "\(database.url)" }
            admin: { listen: "127.0.0.1:0", show_keys: on }
            groups:
              said: { sql: "select $1::text", returns: value }
            """
        try await withSidecar(settings) { sidecar async throws in
            let port = try await sidecar.adminPort()
            let process = try #require(sidecar.process.processIdentifier)
            try await look("status_page.py", [sidecar.socket, "http://127.0.0.1:\(port)/", "\(process)"])
        }
    }

    @Test func `the report of a load test draws its figures, and can be read without a script`() async throws {
        let example = "\(repository)/Tests/LoadTestTests/Resources/bench-report.json"
        var report = try BenchReport(json: String(contentsOfFile: example, encoding: .utf8))
        let hostile = "</script><script>hurt()</script><img src=x onerror=hurt()> {{script}}"
        report.run.subject = hostile
        report.run.arguments.append(hostile)
        report.scenarios[0].load.sql = hostile
        report.scenarios[0].ways[0].warnings = ["The generator was late: \(hostile)"]
        let path = temporaryPath() + ".html"
        try report.html().write(toFile: path, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await look(
            "report_page.py", [path, hostile, "The generator was late", "118,000", "515,000 asks", "100 queries"])
    }
}
