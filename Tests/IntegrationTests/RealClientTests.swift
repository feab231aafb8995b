import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// Clients that others wrote.
@Suite(.timeLimit(.minutes(10)))
struct RealClientTests {
    private func settings(_ database: TestDatabase) -> String {
        """
        database: { url: "\(database.url)" }
        groups:
          account: { sql: "select id, owner, note from account where id = $1" }
          owner: { sql: "select owner from account where id = $1", returns: value }
          accounts: { sql: "select id from account order by id", returns: rows }
          pausing: { sql: "select $1::text as key from pg_sleep(0.15)", returns: value }
          broken: { sql: "select id / 0 from account where id = $1" }
        """
    }

    private func database() async throws -> TestDatabase {
        let database = try await TestDatabase.shared()
        try await database.run(
            """
            create table account(id int primary key, owner text, note text);
            insert into account values (1, 'Ada', null), (2, 'Zoë', 'a note')
            """)
        return database
    }

    @Test(arguments: ["2", "3"])
    func `redis-py`(_ version: String) async throws {
        let python = try pythonPath()
        try await withSidecar(settings(try await database())) { sidecar in
            let script = "\(repository)/Tests/IntegrationTests/Clients/redis_py.py"
            let said = try await Program(command: [python, script, sidecar.socket, version]).run()
            #expect(said == "all is well")
        }
    }

    /// Runs a program of `Clients` against a sidecar, and expects it to be content.
    private func expectContent(
        _ command: [String], _ script: String, _ arguments: String..., keyPrefix: String = "",
        environment: [String: String] = [:]
    ) async throws {
        let listen = keyPrefix.isEmpty ? "" : ", key_prefix: \"\(keyPrefix)\""
        try await withSidecar(settings(try await database()), listen: listen) { sidecar in
            let path = "\(repository)/Tests/IntegrationTests/Clients/\(script)"
            let program = Program(command: command + [path, sidecar.socket] + arguments, environment: environment)
            let said = try await program.run()
            #expect(said == "all is well")
        }
    }

    @Test(arguments: ["redis-4", "redis-5"])
    func `older versions of redis-py, with transactions and asyncio`(_ version: String) async throws {
        try await expectContent(
            [try pythonPath()], "redis_family.py", "redis", environment: ["PYTHONPATH": "\(repository)/run/\(version)"])
    }

    @Test(arguments: ["redis", "valkey"])
    func `redis-py and valkey-py, with transactions and asyncio`(_ module: String) async throws {
        try await expectContent([try pythonPath()], "redis_family.py", module)
    }

    @Test(arguments: ["coredis_py.py", "walrus_py.py", "tcp_bridge.py", "client_side_cache.py"])
    func `others in Python, and a bridge for those that know only TCP`(_ script: String) async throws {
        try await expectContent([try pythonPath()], script)
    }

    @Test(arguments: [
        "django.core.cache.backends.redis.RedisCache", "django_redis.cache.RedisCache",
        "django_valkey.cache.ValkeyCache",
    ])
    func `Django's cache`(_ backend: String) async throws {
        try await expectContent([try pythonPath()], "django_cache.py", backend, keyPrefix: ":1:")
    }

    @Test func `Flask-Caching`() async throws {
        try await expectContent([try pythonPath()], "flask_caching_py.py", keyPrefix: "flask_cache_")
    }

    @Test(arguments: [
        (["php"], "phpredis.php"), (["ruby"], "redis_rb.rb"), (["node"], "node_redis.js"),
        (["go", "run"], "redigo.go"),
    ])
    func `clients in other languages`(_ command: [String], _ script: String) async throws {
        // Debian keeps packages of Node and Go where only these find them.
        try await expectContent(
            ["/usr/bin/env"] + command, script,
            environment: ["NODE_PATH": "/usr/share/nodejs", "GOPATH": "/usr/share/gocode", "GO111MODULE": "off"])
    }

    @Test func `flushing can be kept to other users than redis-cli's`() async throws {
        try await withSidecar(settings(try await database()), listen: ", admin_users: [nobody]") { sidecar in
            let said = try await Program(
                command: ["/usr/bin/env", "redis-cli", "-s", sidecar.socket, "FLUSHALL"]
            ).run()
            #expect(said == "NOPERM FLUSHALL is kept to listen.admin_users")
        }
    }

    @Test(arguments: ["--bigkeys", "--memkeys", "--hotkeys"])
    func `redis-cli looks for large and hot keys`(_ option: String) async throws {
        try await withSidecar(settings(try await database())) { sidecar in
            let client = try sidecar.client()
            for key in ["account:1", "account:99", "owner:2"] { _ = try client.ask("GET", key) }
            let said = try await Program(command: ["/usr/bin/env", "redis-cli", "-s", sidecar.socket, option]).run()
            #expect(said.contains("keys in the keyspace!"), "\(said)")
            #expect(!said.lowercased().contains("err"), "\(said)")
        }
    }

    @Test(arguments: [[], ["-3"]])
    func `redis-cli`(_ options: [String]) async throws {
        try await withSidecar(settings(try await database())) { sidecar in
            let ask = { (arguments: [String]) in
                try await Program(
                    command: ["/usr/bin/env", "redis-cli", "-s", sidecar.socket] + options + arguments
                ).run()
            }
            #expect(try await ask(["GET", "account:1"]) == #"{"id":1,"owner":"Ada","note":null}"#)
            #expect(try await ask(["GET", "owner:99"]) == "")
            #expect(try await ask(["MGET", "owner:1", "owner:99", "owner:2"]) == "Ada\n\nZoë")
            let pairs = try await ask(["--no-raw", "HGETALL", "account:1"])
            #expect(
                pairs
                    == (options.isEmpty
                        ? "1) \"id\"\n2) \"1\"\n3) \"owner\"\n4) \"Ada\""
                        : "1# \"id\" => \"1\"\n2# \"owner\" => \"Ada\""))
            #expect(try await ask(["HGET", "account:2", "note"]) == "a note")
            #expect(try await ask(["EXISTS", "account:1", "account:99"]) == "1")
            #expect(Int(try await ask(["TTL", "account:1"])).map { (1...60).contains($0) } == true)
            #expect(try await ask(["DEL", "account:1"]) == "1")
            #expect(try await ask(["TTL", "account:1"]) == "-2")
            #expect(
                try await ask(["--scan", "--pattern", "owner:?"]).split(separator: "\n").sorted() == [
                    "owner:1", "owner:2",
                ])
            #expect(try await ask(["GET", "owner:Ada"]).hasPrefix("ERR "))
        }
    }
}

/// The Python that has redis-py.
func pythonPath() throws -> String {
    guard let path = ProcessInfo.processInfo.environment["PGSIDECAR_PYTHON"] else {
        throw Failure("PGSIDECAR_PYTHON names no Python with redis-py: run the tests with `make test`")
    }
    return path
}
