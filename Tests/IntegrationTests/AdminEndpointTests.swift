import Foundation
import Glibc
import PrivateDatabase
import TestSupport
import Testing

/// What operators are told over HTTP of a sidecar that serves.
@Suite(.timeLimit(.minutes(10)))
struct AdminEndpointTests {
    private func settings(_ database: TestDatabase, admin: String, more: String = "", group: String = "") -> String {
        """
        database: { url: "\(database.url)" }
        admin: { \(admin) }
        \(more)
        groups:
          word: { sql: "select text from word where id = $1", returns: value\(group) }
          slow: { sql: "\(TestDatabase.heldWord())", returns: value, load_timeout: 5m, max_loads: 1 }
        """
    }

    /// A sidecar that tells operators at a socket in its folder.
    private func withTeller(
        _ database: TestDatabase, more: String = "", group: String = "", admin: String = "",
        _ body: (RunningSidecar, HTTPProbe) async throws -> Void
    ) async throws {
        let folder = temporaryPath()
        let text = settings(
            database, admin: "listen: \"unix:\(folder)/admin.sock\"\(admin)", more: more, group: group)
        try await withSidecar(text, in: folder) { sidecar async throws in
            #expect(await eventually { (try? HTTPProbe(socket: "\(folder)/admin.sock")) != nil })
            try await body(sidecar, try HTTPProbe(socket: "\(folder)/admin.sock"))
        }
    }

    /// The value of a sample in `/metrics`.
    private func value(_ sample: String, _ probe: HTTPProbe) async throws -> Double? {
        let line = try await probe.get("/metrics").body.split(separator: "\n").first { $0.hasPrefix("\(sample) ") }
        return line.flatMap { Double($0.dropFirst(sample.utf8.count + 1)) }
    }

    @Test func `metrics, INFO and the JSON count what was asked, and PostgreSQL counts the same loads`() async throws {
        let database = try await TestDatabase.shared()
        try await withTeller(database, group: ", ttl: 1h, negative_ttl: 1h") { sidecar, probe async throws in
            let client = try sidecar.client()
            let loadsBefore = try await database.completedQueries()
            for key in ["1", "2", "1", "1", "99999", "99999"] { _ = try client.ask("GET", "word:\(key)") }
            let expected: [(String, Double)] = [("hit", 2), ("negative_hit", 1), ("miss", 3)]
            for (result, count) in expected {
                let sample = "pgsidecar_gets_total{group=\"word\",result=\"\(result)\"}"
                #expect(try await eventually { try await value(sample, probe) == count }, "\(result)")
            }
            #expect(try await value("pgsidecar_load_duration_seconds_count{group=\"word\"}", probe) == 3)
            #expect(await eventually { (try? await database.completedQueries()) == loadsBefore + 3 })
            #expect(try await value("pgsidecar_entries{group=\"word\"}", probe) == 3)
            #expect(try await value("pgsidecar_ready", probe) == 1)
            #expect(try sidecar.info("keyspace_hits") == "3")
            let object = try await JSONSerialization.jsonObject(with: Data(probe.get("/stats.json").body.utf8))
            let statistics = try #require(object as? [String: Any])
            let groups = try #require(statistics["groups"] as? [[String: Any]])
            #expect(groups.map { $0["name"] as? String } == ["word", "slow"])
            let figures = try sidecar.statistics("word")
            for name in ["gets", "hits", "misses", "loads", "local_loads", "entries", "bytes"] {
                #expect(groups[0][name] as? Int == figures[name], "\(name)")
            }
            let descriptors = try await value("process_open_fds", probe)
            let resident = try await value("process_resident_memory_bytes", probe)
            #expect(descriptors ?? 0 > 10)
            #expect(resident ?? 0 > 1_000_000)
        }
    }

    @Test func `SLOWLOG tells that a load waited for its turn, and another for the database`() async throws {
        let database = try await TestDatabase.shared()
        try await withTeller(database, more: "slowlog: { longer_than: 1ms }", admin: ", show_keys: on") {
            sidecar, probe async throws in
            let hold = try await database.hold(7)
            let (first, second) = (try sidecar.client(), try sidecar.client())
            try first.send("GET", "slow:7")
            #expect(await eventually { (try? await database.activeSessions()) == 1 })
            try second.send("GET", "slow:8")
            #expect(await sidecar.counts("queued_loads", 1, of: "slow"))
            #expect(
                try await eventually {
                    try await value("pgsidecar_flights{group=\"slow\",state=\"queued\"}", probe) == 1
                })
            #expect(try await value("pgsidecar_flights{group=\"slow\",state=\"running\"}", probe) == 1)
            try await hold.release()
            #expect(try first.receive() == .bulk("word 7"))
            #expect(try second.receive() == .bulk("word 8"))
            #expect(try await eventually { try await value("pgsidecar_slow_loads_total", probe) == 2 })
            let object = try await JSONSerialization.jsonObject(with: Data(probe.get("/stats.json").body.utf8))
            let slow = try #require((object as? [String: Any])?["slow_loads"] as? [[String: Any]])
            func seconds(_ key: String, _ part: String) throws -> Double {
                try #require(slow.first { $0["key"] as? String == key }?["\(part)_seconds"] as? Double)
            }
            #expect(try seconds("slow:7", "database") > seconds("slow:7", "queue"))
            #expect(try seconds("slow:8", "queue") > seconds("slow:8", "database"))
            #expect(try first.ask("SLOWLOG", "LEN") == .integer(2))
        }
    }

    @Test func `keys are told over HTTP only when settings say so`() async throws {
        let database = try await TestDatabase.shared()
        try await withTeller(database, more: "slowlog: { longer_than: 1ms, redact_keys: on }") {
            sidecar, probe async throws in
            let hold = try await database.hold(7)
            let client = try sidecar.client()
            try client.send("GET", "slow:7")
            #expect(await eventually { (try? await database.activeSessions()) == 1 })
            try await hold.release()
            #expect(try client.receive() == .bulk("word 7"))
            for _ in 0..<500 { _ = try client.ask("GET", "slow:7") }
            #expect(try await eventually { try await probe.get("/stats.json").body.contains("\"lookups\"") })
            #expect(try await eventually { try await value("pgsidecar_slow_loads_total", probe) == 1 })
            let body = try await probe.get("/stats.json").body + probe.get("/metrics").body
            #expect(!body.contains("slow:7"))
            guard case .array(let loads) = try client.ask("SLOWLOG", "GET"), case .array(let load)? = loads.first,
                case .array(let texts) = load[3]
            else {
                Issue.record("no slow load")
                return
            }
            #expect(texts[1] == .bulk("slow:(redacted)"))
        }
    }

    @Test(arguments: ["flush", "serve_until_ttl"])
    func `a sidecar that lost its database and its stream says so, and stays ready and alive`(
        onLoss: String
    ) async throws {
        let database = try await TestDatabase.fresh()
        let more = "invalidation: { source: notify, on_stream_loss: \(onLoss), heartbeat: 100ms }"
        let group = ", ttl: 1h, invalidate_on: [{ table: public.word, key: [id] }]"
        try await tellChanges(by: settings(database, admin: "", more: more, group: group))
        try await withTeller(database, more: more, group: group) { sidecar, probe async throws in
            #expect(try await eventually { try await probe.get("/readyz").status == 200 })
            let client = try sidecar.client()
            #expect(try await eventually { try await value("pgsidecar_stream_live", probe) == 1 })
            #expect(try client.ask("GET", "word:1") == .bulk("word 1"))
            #expect(try await eventually { try await value("pgsidecar_entries{group=\"word\"}", probe) == 1 })
            await database.server.stop()
            #expect(try await eventually { try await value("pgsidecar_stream_live", probe) == 0 })
            #expect(
                try await eventually { try await value("pgsidecar_database_connections{state=\"ready\"}", probe) == 0 })
            let answer = try await probe.get("/readyz")
            #expect(answer.status == 200, "\(answer.body)")
            #expect(answer.body.contains("database: there is no connection to the database\n"), "\(answer.body)")
            #expect(answer.body.contains("stream: stream lost: "), "\(answer.body)")
            #expect(try client.ask("GET", "word:1").isError == (onLoss == "flush"))
            #expect(try await probe.get("/livez").status == 200)
            try await database.server.start()
            #expect(
                try await eventually {
                    try await probe.get("/readyz").body
                        == "serving: ok\ndatabase: ok\nstream: ok\nwarm_start: ok\n"
                })
        }
        await database.server.remove()
    }

    @Test(arguments: ["flush", "serve_until_ttl"])
    func `while the stream alone is lost a sidecar goes on answering, and is ready`(onLoss: String) async throws {
        let database = try await TestDatabase.fresh(["wal_level": "logical"])
        try await database.run("create publication pgsidecar for table word")
        let more = "invalidation: { source: logical, on_stream_loss: \(onLoss), heartbeat: 100ms }"
        let group = ", ttl: 1h, invalidate_on: [{ table: public.word, key: [id] }]"
        try await withTeller(database, more: more, group: group) { sidecar, probe async throws in
            #expect(try await eventually { try await probe.get("/readyz").body.contains("stream: ok\n") })
            // The server's processes that send the log, and no others, have no place any more.
            try await database.run("alter system set max_wal_senders = 0")
            await database.server.stop()
            try await database.server.start()
            #expect(try await eventually { try await probe.get("/readyz").body.contains("stream: stream lost: ") })
            #expect(try await eventually { try sidecar.client().ask("GET", "word:1") == .bulk("word 1") })
            #expect(try await eventually { try await probe.get("/readyz").body.contains("database: ok\n") })
            #expect(try await probe.get("/readyz").status == 200)
            #expect(try await value("pgsidecar_ready", probe) == 1)
            #expect(try await value("pgsidecar_ready_check{check=\"stream\"}", probe) == 0)
        }
        await database.server.remove()
    }

    @Test func `a sidecar that never had a stream is not ready, and answers`() async throws {
        let database = try await TestDatabase.shared()
        let more = "invalidation: { source: logical, heartbeat: 100ms }"
        let group = ", ttl: 1h, invalidate_on: [{ table: public.word, key: [id] }]"
        try await withTeller(database, more: more, group: group) { sidecar, probe async throws in
            #expect(try await eventually { try await probe.get("/readyz").body.contains("stream: no stream yet: ") })
            #expect(try await probe.get("/readyz").status == 503)
            #expect(try sidecar.client().ask("GET", "word:1") == .bulk("word 1"))
        }
    }

    @Test func `a Prometheus scrapes it, and its rules are at rest`() async throws {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await withSidecar(settings(database, admin: "listen: \"127.0.0.1:0\"")) { sidecar async throws in
            let target = try await sidecar.adminPort()
            _ = try sidecar.client().ask("GET", "word:1")
            try """
            global: { scrape_interval: 200ms, evaluation_interval: 200ms }
            rule_files: ["\(repository)/Config/prometheus/alerts.yml"]
            scrape_configs:
              - { job_name: pgsidecar, static_configs: [{ targets: ["127.0.0.1:\(target)"] }] }
            """.write(toFile: "\(folder)/prometheus.yml", atomically: true, encoding: .utf8)
            let own = try FreePort.find()
            let prometheus = try RunningProgram(
                [
                    "\(repository)/run/prometheus/usr/bin/prometheus", "--config.file=\(folder)/prometheus.yml",
                    "--storage.tsdb.path=\(folder)/data", "--web.listen-address=127.0.0.1:\(own)",
                ], in: folder)
            let query = "/api/v1/query?query=sum(pgsidecar_gets_total%7Bresult%3D%22miss%22%7D)"
            let isScraped = await eventually {
                (try? await HTTPProbe(port: own).get(query).body.contains("\"1\"]")) == true
            }
            #expect(isScraped, "\(prometheus.errors.suffix(2000))")
            let up = try await HTTPProbe(port: own).get("/api/v1/query?query=up").body
            #expect(up.contains("\"job\":\"pgsidecar\"") && up.contains("\"1\"]"), "\(up)")
            let alerts = try await HTTPProbe(port: own).get("/api/v1/alerts").body
            #expect(alerts.contains("\"alerts\":[]"), "\(alerts)")
            prometheus.signal(SIGTERM)
            #expect(await prometheus.end() == .code(0))
        }
    }

    @Test func `top shows the figures once where there is no terminal, and tells when there is no sidecar`()
        async throws
    {
        let database = try await TestDatabase.shared()
        try await withTeller(database) { sidecar, _ async throws in
            _ = try sidecar.client().ask("GET", "word:1")
            let top = try RunningProgram([pgsidecarPath, "top", "--socket", sidecar.socket], in: sidecar.folder)
            #expect(await top.end() == .code(0), "\(top.errors)")
            let lines = top.output.split(separator: "\n")
            #expect(lines.first?.hasPrefix("pgsidecar ") == true && lines.first?.contains(sidecar.socket) == true)
            #expect(lines.contains { $0.hasPrefix("word ") } && lines.contains { $0.hasPrefix("slow ") })
            #expect(!top.output.contains("\u{1b}"))
            let nobody = try RunningProgram(
                [pgsidecarPath, "top", "--socket", "\(sidecar.folder)/none.sock"], in: sidecar.folder)
            #expect(await nobody.end() == .code(1))
            #expect(nobody.errors.contains("is the sidecar running"), "\(nobody.errors)")
        }
    }

    @Test func `in a terminal top draws again each second, and q gives the terminal back`() async throws {
        let database = try await TestDatabase.shared()
        try await withTeller(database) { sidecar, _ async throws in
            let terminal = """
                import os, pty, sys
                child, end = pty.fork()
                if child == 0: os.execv(sys.argv[1], sys.argv[1:])
                seen = b''
                while seen.count(b'hit ratio') < 2: seen += os.read(end, 65536)
                os.write(end, b'q')
                try:
                    while True: seen += os.read(end, 65536)
                except OSError: pass
                code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
                print(code, seen.startswith(b'\\x1b[?1049h'), seen.endswith(b'\\x1b[?25h\\x1b[?1049l'))
                """
            let command = [try pythonPath(), "-c", terminal, pgsidecarPath, "top", "--socket", sidecar.socket]
            let program = try RunningProgram(command, in: sidecar.folder)
            #expect(await program.end() == .code(0), "\(program.errors)")
            #expect(program.output == "0 True True\n")
        }
    }

    @Test func `without admin_listen there is no thread for it, and with it there is one`() async throws {
        let database = try await TestDatabase.shared()
        func threads(_ sidecar: RunningSidecar) throws -> [String] {
            let socket = try sidecar.info("process_id")
            let tasks = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(socket)/task")
            return tasks.compactMap { try? String(contentsOfFile: "/proc/\(socket)/task/\($0)/comm", encoding: .utf8) }
        }
        try await withSidecar(settings(database, admin: "show_keys: off")) { sidecar async throws in
            #expect(try threads(sidecar).filter { $0.hasPrefix("NIO-") } == [])
        }
        try await withTeller(database) { sidecar, probe async throws in
            #expect(try threads(sidecar).filter { $0.hasPrefix("NIO-") }.count == 1)
        }
    }

    @Test func `a port that is taken keeps nobody from being served, and is had when it is free`() async throws {
        let database = try await TestDatabase.shared()
        let holder = try FreePort()
        try await withSidecar(settings(database, admin: "listen: \"127.0.0.1:\(holder.port)\"")) {
            sidecar async throws in
            #expect(try sidecar.client().ask("GET", "word:7") == .bulk("word 7"))
            #expect(await eventually { sidecar.process.errors.contains("can't listen at admin.listen") })
            holder.free()
            #expect(await eventually { (try? await HTTPProbe(port: holder.port).get("/livez").status) == 200 })
        }
    }
}

/// A port of this machine that nobody else has, held until it is freed.
private final class FreePort {
    let port: Int
    private var descriptor: Int32

    /// The number of one that was free just now.
    static func find() throws -> Int {
        let port = try FreePort()
        port.free()
        return port.port
    }

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let isBound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 1) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard isBound else { throw Failure("no free port: errno \(errno)") }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func free() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    deinit { free() }
}
