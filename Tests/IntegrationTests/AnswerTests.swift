import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Every answer is the same answer: the product of what one can ask, of what size it is, of what is in memory, and of how a
/// client writes and reads.
@Suite(.serialized, .timeLimit(.minutes(10)))
struct AnswerTests {
    /// Around the sizes where something changes: an empty value, what a read and a block of output hold, and what a
    /// socket takes at once (`net.core.wmem_default`).
    private static let sizes = [0, 1, 16383, 16384, 16385, 65536, 212_991, 212_992, 212_993, 1 << 20]
    /// By hand, with `PGSIDECAR_LARGE_TESTS=1`: each power of two, and one less and one more.
    private static let moreSizes = (1...19).flatMap { [1 << $0 - 1, 1 << $0, 1 << $0 + 1] } + sizes

    private func settings(_ database: TestDatabase, threads: Int) -> String {
        let value = #"sql: "select text from body where id = $1", returns: value"#
        let row = #"sql: "select id, size, text from body where id = $1""#
        return """
            database: { url: "\(database.url)", connections: 4 }
            threads: \(threads)
            memory: 4GiB
            defaults: { ttl: 0s, negative_ttl: 1h, load_timeout: 5m }
            groups:
              value: { \(value) }
              row: { \(row) }
              rows: { sql: "select id, size, text from body, generate_series(1, 2) where id = $1", returns: rows }
              batch: { \(value), batch: { sql: "select id, text from body where id = any($1)" } }
              batchrow: { \(row), batch: { sql: "select id, id, size, text from body where id = any($1)" } }
            """
    }

    /// One text of each size, with characters in front that JSON writes otherwise or that take several bytes.
    private func database(_ sizes: [Int]) async throws -> TestDatabase {
        let database = try await TestDatabase.shared()
        let list = Set(sizes).map(String.init).joined(separator: ",")
        try await database.run(
            #"""
            create table body(id text primary key, size int, text text);
            insert into body select n::text, n,
                case when n < 9 then left(repeat(md5(n::text), n / 32 + 1), n)
                else E'é"\\\n\t€' || left(repeat(md5(n::text), n / 32 + 1), n - 9) end
            from unnest(array[\#(list)]) n
            """#)
        return database
    }

    private func ask(_ sizes: [Int], protocol version: Int, threads: Int) async throws {
        let python = try pythonPath()
        let database = try await database(sizes)
        try await withSidecar(settings(database, threads: threads)) { sidecar in
            let sums = "\(sidecar.folder)/sums"
            try await database.run("select id, md5(text), md5(row_to_json(body)::text) from body")
                .write(toFile: sums, atomically: true, encoding: .utf8)
            let script = "\(repository)/Tests/IntegrationTests/Clients/every_answer.py"
            let list = Array(Set(sizes)).sorted().map(String.init).joined(separator: ",")
            let command = [python, script, sidecar.socket, sums, "\(version)", list]
            #expect(try await Program(command: command).run() == "all is well")
        }
    }

    @Test(arguments: [(2, 1), (3, 2)])
    func `every command, alone, pipelined, mixed and in MULTI, cold and hot, of every size, to readers of every speed`(
        protocol version: Int, threads: Int
    ) async throws {
        try await ask(wantsLargeTests ? Self.moreSizes : Self.sizes, protocol: version, threads: threads)
    }

    @Test func `values of sixteen and sixty-four megabytes`() async throws {
        try await ask([16_000_000, 64_000_000], protocol: 2, threads: 1)
    }
}

/// Whether someone waits for tests that take minutes.
let wantsLargeTests = ProcessInfo.processInfo.environment["PGSIDECAR_LARGE_TESTS"] != nil
