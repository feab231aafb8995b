import Foundation
import Glibc
import Groundwork
import Machine
import PrivateDatabase
import SidecarApp
import TestSupport
import Testing

/// What whoever runs a sidecar meets: its log, its limits, its socket's folder, queries that don't fit.
@Suite(.timeLimit(.minutes(10)))
struct OperatorTests {
    private func settings(_ database: TestDatabase, more: String = "") -> String {
        """
        database: { url: "\(database.url)" }
        \(more)
        groups:
          word: { sql: "select text from word where id = $1", returns: value }
        """
    }

    private func python(_ program: String) throws -> [String] {
        [try pythonPath(), "-c", program + "; os.execvp(sys.argv[1], sys.argv[1:])"]
    }

    // MARK: The log

    @Test func `a log that nobody reads holds up nothing, neither serving nor the end`() async throws {
        let database = try await TestDatabase.shared()
        let blocked = try python(
            "import fcntl, os, sys; r, w = os.pipe(); fcntl.fcntl(w, 1031, 4096); os.set_inheritable(r, True); os.dup2(w, 2)"
        )
        try await withSidecar(
            settings(database, more: "log: { level: trace }"), listen: ", password: sesame", wrapper: blocked,
            seenToEnd: true
        ) { sidecar in
            // Each is worth a line, and there is room for a hundred or so.
            for _ in 0..<300 {
                let client = try sidecar.client()
                #expect(try client.ask("AUTH", "wrong").isError)
                try client.send(raw: "*1\r\n$x\r\n")
            }
            let client = try sidecar.client()
            #expect(try client.ask("AUTH", "sesame") == .simpleString("OK"))
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            sidecar.process.signal(SIGTERM)
            #expect(await sidecar.process.end() == .code(0))
        }
    }

    @Test func `signals that mean nothing to it don't end it, and SIGHUP has it read its settings`() async throws {
        let database = try await TestDatabase.shared()
        try await withSidecar(settings(database)) { sidecar in
            for signal in [SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGHUP, SIGPIPE] { sidecar.process.signal(signal) }
            #expect(await eventually { sidecar.process.errors.contains("settings read again") })
            let answer = try sidecar.client().ask("GET", "word:7")
            #expect(answer == .bulk("word 7"))
        }
    }

    @Test func `no password reaches the log at any level, nor an error's text`() async throws {
        let database = try await TestDatabase.fresh()
        try await database.run("create role app login password 'sesame-u@/:%' in role pg_read_all_data")
        try "local all postgres trust\nlocal all app scram-sha-256\n"
            .write(toFile: "\(database.server.folder)/data/pg_hba.conf", atomically: false, encoding: .utf8)
        try await database.run("select pg_reload_conf()")
        let url = database.url.replacing("user=postgres", with: "user=app")
        let text = """
            log: { level: trace }
            database: { url: "\(url)", password: "${SESAME_DATABASE}", connect_timeout: 2s }
            groups:
              word: { sql: "select text from word where id = $1", returns: value }
            """
        func run(_ password: String, _ body: (RunningSidecar) async throws -> Void) async throws {
            try await withSidecar(
                text, listen: ", password: \"${SESAME_CLIENT}\"",
                environment: ["SESAME_DATABASE": password, "SESAME_CLIENT": "sesame-c", "PGPASSWORD": "sesame-e"]
            ) { sidecar in
                try await body(sidecar)
                #expect(sidecar.process.errors.contains("debug"), "\(sidecar.process.errors)")
                #expect(!sidecar.process.errors.contains("sesame"), "\(sidecar.process.errors)")
                #expect(!sidecar.process.output.contains("sesame"))
            }
        }
        try await run("sesame-u@/:%") { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("AUTH", "sesame-wrong").isError)
            #expect(try client.ask("HELLO", "3", "AUTH", "default", "sesame-wrong").isError)
            #expect(try client.ask("AUTH", "sesame-c") == .simpleString("OK"))
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(await eventually { sidecar.process.errors.contains("wrong password") })
        }
        try await run("sesame-wrong") { sidecar in
            let client = try sidecar.client()
            #expect(try client.ask("AUTH", "sesame-c") == .simpleString("OK"))
            #expect(try client.ask("GET", "word:7").isError)
            #expect(await eventually { sidecar.process.errors.contains("password authentication failed") })
        }
        await database.server.remove()
    }

    @Test func `under systemd a line begins with its priority, and JSON is an object a line`() async throws {
        let database = try await TestDatabase.shared()
        let journal = try python(
            "import os, sys; s = os.fstat(2); os.environ['JOURNAL_STREAM'] = f'{s.st_dev}:{s.st_ino}'")
        try await withSidecar(settings(database), wrapper: journal) { sidecar in
            #expect(await eventually { sidecar.process.errors.contains("<6>ready ") })
            #expect(sidecar.process.errors.split(separator: "\n").allSatisfy { $0.hasPrefix("<") })
            #expect(sidecar.process.errors.contains("<6>starting "))
            #expect(sidecar.process.errors.contains("version=\(Sidecar.version)"))
        }
        try await withSidecar(settings(database, more: "log: { format: json }")) { sidecar in
            #expect(await eventually { sidecar.process.errors.contains("\"ready\"") })
            for line in sidecar.process.errors.split(separator: "\n") {
                _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
            }
        }
    }

    // MARK: Queries that don't fit

    @Test func `a query that the database refuses degrades its group until the schema fits, and the others serve`()
        async throws
    {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try "select text\n  from sentence where id = $1".write(
            toFile: "\(folder)/sentence.sql", atomically: true, encoding: .utf8)
        let text = settings(database) + "\n  sentence: { query: sentence.sql, returns: value, negative_ttl: 0 }"
        let strict = try RunningSidecar(text, in: folder, options: ["--strict"])
        #expect(await strict.process.end() == .code(78))
        #expect(
            strict.process.errors.contains("\(folder)/sentence.sql:2:8: groups.sentence: "), "\(strict.process.errors)")

        try await withSidecar(text, in: folder) { sidecar in
            #expect(sidecar.process.errors.contains("\(folder)/sentence.sql:2:8: "), "\(sidecar.process.errors)")
            let client = try sidecar.client()
            #expect(try client.ask("GET", "word:7") == .bulk("word 7"))
            #expect(try client.ask("GET", "sentence:7").isError)
            #expect(try client.ask("GET", "sentence:7").isError)
            #expect(try sidecar.info("database_degraded_groups") == "sentence")
            #expect(try sidecar.info("failing_groups") == "sentence")
            #expect(try sidecar.info("last_load_error").contains("sentence"))
            #expect(sidecar.process.errors.split(separator: "\n").filter { $0.contains(" loads fail ") }.count == 1)

            try await database.run("create table sentence as select id, text from word")
            #expect(try client.ask("GET", "sentence:7") == .bulk("word 7"))
            #expect(await eventually { sidecar.process.errors.contains("takes a group's query again group=sentence") })
            #expect(try sidecar.info("database_degraded_groups") == "")
            #expect(
                try await eventually {
                    _ = try client.ask("PGS.REFRESH", "sentence:7")
                    return sidecar.process.errors.contains("loads succeed again failures=2 group=sentence")
                })
        }
    }

    // MARK: Limits

    @Test func `with clients at the limit the database's connections come back, and every client has its answer`()
        async throws
    {
        let database = try await TestDatabase.fresh()
        try await withSidecar(settings(database), wrapper: ["prlimit", "--nofile=120:120"]) { sidecar in
            #expect(sidecar.process.errors.contains("fewer clients than max_clients"), "\(sidecar.process.errors)")
            var clients: [TestClient] = []
            while true {
                let client = try sidecar.client()
                // One too many gets an error, or is closed before it has asked.
                guard (try? client.ask("PING")) == .simpleString("PONG") else { break }
                clients.append(client)
                try #require(clients.count < 120)
            }
            let allowed = try clients[0].info("maxclients")
            #expect(Int(allowed) == clients.count)
            #expect(clients.count >= 20)
            // (Killed, it could forget the table, since it is told to sync nothing.)
            await database.server.stop()
            #expect(try clients[0].ask("GET", "word:1").isError)
            try await database.server.start()
            for (number, client) in clients.enumerated() {
                let key = "word:\(number + 10)"
                var reply = try client.ask("GET", key)
                let isAnswered = try await eventually {
                    if reply.isError { reply = try client.ask("GET", key) }
                    return !reply.isError
                }
                try #require(isAnswered, "\(reply) \(sidecar.process.errors)")
                #expect(reply == .bulk("word \(number + 10)"))
            }
            let wanted = try clients[0].info("database_connections_wanted")
            #expect(try await eventually { try clients[0].info("database_connections_ready") == wanted })
            #expect(await eventually { sidecar.process.errors.contains("there are max_clients") })
        }
        await database.server.remove()
    }

    // MARK: The socket's folder

    @Test func `a missing folder is told, and in check too`() async throws {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let text = settings(database) + "\nlisten: { socket: \(folder)/no/s.sock }"
        try text.write(toFile: "\(folder)/a.yaml", atomically: true, encoding: .utf8)
        let check = try RunningProgram([pgsidecarPath, "check", "--config", "a.yaml"], in: folder)
        #expect(await check.end() == .code(0))
        #expect(check.errors.contains("note: listen.socket: the folder \(folder)/no does not exist"), "\(check.errors)")
        let serve = try RunningProgram([pgsidecarPath, "serve", "--config", "a.yaml"], in: folder)
        #expect(await serve.end() == .code(1))
        #expect(serve.errors.contains("the folder \(folder)/no does not exist; make it"), "\(serve.errors)")
        try FileManager.default.removeItem(atPath: folder)
    }

    @Test(.enabled(if: geteuid() == 0, "another user's process needs root"))
    func `what another user left behind does not keep it from starting, but another user's process does`() async throws
    {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        chown(folder, 65534, 65534)
        // A crash of root's leaves both, and nobody may open them.
        try await withSidecar(settings(database), in: folder, seenToEnd: true) { first in
            let second = try RunningSidecar(settings(database), in: folder, wrapper: Self.asNobody)
            #expect(await second.process.end() == .code(1))
            #expect(second.process.errors.contains("another user's process serves"), "\(second.process.errors)")
            #expect(!second.process.errors.contains("database"), "\(second.process.errors)")
            // A listener at a relative path, which could be any file of its name, and has another one.
            let stranger = try RunningProgram(["socat", "UNIX-LISTEN:other.sock", "-"], in: folder)
            #expect(await eventually { FileManager.default.fileExists(atPath: "\(folder)/other.sock") })
            first.process.signal(SIGKILL)
            #expect(await eventually { (try? first.client()) == nil })
            #expect(FileManager.default.fileExists(atPath: "\(folder)/s.sock.lock"))
            try await withSidecar(settings(database), in: folder, wrapper: Self.asNobody) { third in
                let answer = try third.client().ask("GET", "word:7")
                #expect(answer == .bulk("word 7"))
            }
            stranger.signal(SIGTERM)
        }
    }

    private static let asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    @Test func `a link in the lock's place is not followed`() async throws {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        symlink("\(folder)/elsewhere", "\(folder)/s.sock.lock")
        let sidecar = try RunningSidecar(settings(database), in: folder)
        #expect(await sidecar.process.end() == .code(1))
        #expect(sidecar.process.errors.contains("is a symbolic link"), "\(sidecar.process.errors)")
        #expect(!FileManager.default.fileExists(atPath: "\(folder)/elsewhere"))
        sidecar.remove()
    }

    @Test func `another program that listens there and never accepts is left alone, and does not hold it up`()
        async throws
    {
        let database = try await TestDatabase.shared()
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/s.sock"
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        defer { close(listener) }
        #expect(UnixAddress.bind(listener, to: path) == 0)
        #expect(listen(listener, 0) == 0)
        var waiting: [Int32] = []
        defer { for descriptor in waiting { close(descriptor) } }
        var isFull = false
        while !isFull {
            let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            waiting.append(socket(AF_UNIX, type, 0))
            isFull = UnixAddress.connect(waiting[waiting.count - 1], to: path) != 0
            try #require(waiting.count < 100)
        }
        let sidecar = try RunningSidecar(settings(database), in: folder)
        #expect(await sidecar.process.end(within: .seconds(120)) == .code(1))
        #expect(sidecar.process.errors.contains("another program listens"), "\(sidecar.process.errors)")
        sidecar.remove()
    }
}

extension TestClient {
    /// A line of `INFO`.
    fileprivate func info(_ name: String) throws -> String {
        guard case .bulk(let bytes) = try ask("INFO") else { throw Failure("no INFO") }
        let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
        return lines.first { $0.hasPrefix("\(name):") }.map { String($0.dropFirst(name.utf8.count + 1)) } ?? ""
    }
}
