import Foundation
import TestSupport
import Testing

@testable import Admin

@Suite(.timeLimit(.minutes(10))) struct AdminServerTests {
    @Test func `each path is answered, several on one connection`() async throws {
        try await withAdmin { admin async throws in
            let probe = try admin.probe()
            let types = [
                "/": "text/html; charset=utf-8", "/metrics": "text/plain; version=0.0.4; charset=utf-8",
                "/stats.json": "application/json", "/livez": "text/plain; charset=utf-8",
                "/readyz": "text/plain; charset=utf-8",
            ]
            for (path, type) in types {
                let answer = try await probe.get(path)
                #expect(answer.status == 200, "\(path)")
                #expect(answer.headers["content-type"] == type)
                #expect(answer.headers["cache-control"] == "no-store")
                #expect(!answer.body.isEmpty)
                let head = try await probe.ask("HEAD", path)
                #expect(head.status == 200 && head.headers["content-length"] == "\(answer.body.utf8.count)", "\(path)")
            }
            #expect(try await probe.get("/livez?verbose").body == "ok\n")
        }
    }

    @Test func `what is no path, or would change something, is refused and tells what there is`() async throws {
        try await withAdmin { admin async throws in
            let probe = try admin.probe()
            let missing = try await probe.get("/stats")
            #expect(missing.status == 404 && missing.body.contains("/stats.json"))
            for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
                let answer = try await probe.ask(method, "/metrics")
                #expect(answer.status == 405 && answer.headers["allow"] == "GET, HEAD")
            }
        }
    }

    @Test func `readiness fails with each check that fails, and liveness when a loop is stuck`() async throws {
        try await withAdmin { admin async throws in
            let probe = try admin.probe()
            #expect(try await probe.get("/readyz").body == "serving: ok\ndatabase: ok\n")
            admin.tell { $0.statistics.checks[1] = ReadinessCheck("database", warnsOf: "it is lost") }
            #expect(
                try await eventually {
                    try await probe.get("/readyz").body == "serving: ok\ndatabase: it is lost\n"
                })
            #expect(try await probe.get("/readyz").status == 200)
            #expect(try await probe.get("/metrics").body.contains("pgsidecar_ready 1\n"))
            #expect(try await probe.get("/metrics").body.contains("pgsidecar_ready_check{check=\"database\"} 0\n"))
            admin.tell { $0.statistics.checks[1] = ReadinessCheck("database", failsFor: "there is no connection") }
            // Statistics are taken ten times a second at most.
            #expect(try await eventually { try await probe.get("/readyz").status == 503 })
            #expect(try await probe.get("/readyz").body == "serving: ok\ndatabase: there is no connection\n")
            #expect(try await probe.get("/livez").status == 200)
            admin.tell { $0.stuck = "loop 0 has not come to a job for 11 seconds" }
            let life = try await probe.get("/livez")
            #expect(life.status == 503 && life.body == "stuck: loop 0 has not come to a job for 11 seconds\n")
        }
    }

    @Test func `the statistics are one line of JSON with every figure under its name`() async throws {
        try await withAdmin { admin async throws in
            let body = try await admin.probe().get("/stats.json").body
            #expect(!body.contains("\n"))
            let object = try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any])
            #expect(object["is_ready"] as? Bool == true)
            #expect(object["version"] as? String == "1.2.3")
            #expect((object["load_time_bounds_seconds"] as? [Double])?.count == 17)
            let groups = try #require(object["groups"] as? [[String: Any]])
            let account = groups[0]
            #expect(account["name"] as? String == "account")
            #expect(account["hits"] as? Int == 7 && account["stale_hits"] as? Int == 0)
            let times = try #require(account["load_times"] as? [String: Any])
            #expect(times["count"] as? Int == 5)
            let counts = try #require(times["counts"] as? [Int])
            #expect(counts.count == 18 && counts[0] == 1 && counts[1] == 2 && counts[17] == 1)
            let hot = try #require(account["hot_keys"] as? [[String: Any]])
            #expect(hot[0]["key"] as? String == "account:1" && hot[1]["key"] == nil)
            let stream = try #require(object["stream"] as? [String: Any])
            #expect(stream["lag_bytes"] as? Int == 128)
            let slow = try #require(object["slow_loads"] as? [[String: Any]])
            #expect(slow[0]["queue_seconds"] as? Double == 0.25)
            for section in ["memory", "clients", "database", "process"] { #expect(object[section] is [String: Any]) }
        }
    }

    // MARK: Events

    @Test func `events come at once and then again, each with the statistics of its time`() async throws {
        try await withAdmin { admin async throws in
            let probe = try admin.probe()
            try await probe.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let head = try await probe.text(upTo: "\r\n\r\n")
            #expect(head.hasPrefix("HTTP/1.1 200"))
            #expect(head.lowercased().contains("content-type: text/event-stream"))
            _ = try await probe.text(upTo: "retry: 2000\n\n")
            _ = try await probe.text(upTo: "event: statistics\ndata: ")
            let first = try await probe.text(upTo: "\n\n")
            #expect(first.contains("\"version\":\"1.2.3\""))
            admin.tell { $0.statistics.version = "4.5.6" }
            _ = try await probe.text(upTo: "\"version\":\"4.5.6\"")
        }
    }

    @Test func `there are so many streams at most, and one that ends makes room`() async throws {
        try await withAdmin { admin async throws in
            var streams: [HTTPProbe] = []
            for _ in 0..<16 {
                let probe = try admin.probe()
                try await probe.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await probe.text(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 200"))
                streams.append(probe)
            }
            #expect(try await admin.probe().get("/events").status == 503)
            #expect(try await admin.probe().get("/livez").status == 200)
            streams.removeLast()
            let isAdmitted = try await eventually {
                let probe = try admin.probe()
                try await probe.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return try await probe.text(upTo: "\r\n\r\n").hasPrefix("HTTP/1.1 200")
            }
            #expect(isAdmitted)
        }
    }

    @Test func `the end ends streams, and waits for nobody who does not read`() async throws {
        let admin = TestAdmin()
        try await admin.ready()
        // So much that it never fits into a socket's buffers.
        admin.tell { $0.statistics.version = String(repeating: "x", count: 4 << 20) }
        let stalled = try admin.probe()
        try await stalled.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _ = try await stalled.text(upTo: "event: statistics")
        let reading = try admin.probe()
        try await reading.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        #expect(try await reading.receive().status == 200)
        try await admin.end()
        #expect(try await reading.isClosed())
        #expect(throws: (any Error).self) { try admin.probe() }
    }

    // MARK: Bad input

    @Test(arguments: [
        "GARBAGE\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\u{0} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", "*1\r\n$4\r\nPING\r\n",
        "GET / HTTP/1.1\r\nX: " + String(repeating: "y", count: 200_000) + "\r\n\r\n",
    ])
    func `what is no HTTP ends its own connection and nothing else`(_ request: String) async throws {
        try await withAdmin { admin async throws in
            let probe = try admin.probe()
            try? await probe.send(request)
            #expect(try await probe.isClosed(), "\(request.prefix(40))")
            #expect(try await admin.probe().get("/livez").status == 200)
        }
    }

    @Test func `connections that ask nothing keep nobody from asking when they go`() async throws {
        try await withAdmin { admin async throws in
            var idle: [HTTPProbe] = []
            // More than there may be: the rest wait to be accepted.
            for _ in 0..<60 { idle.append(try admin.probe()) }
            let probe = try admin.probe()
            try await probe.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            idle.removeAll()
            #expect(try await probe.receive().status == 200)
        }
    }

    // MARK: Its address

    @Test func `an address that can't be had is told once, and had as soon as it can be`() async throws {
        let folder = temporaryPath()
        let admin = TestAdmin(at: "\(folder)/admin.sock")
        #expect(await eventually { admin.log.messages.contains { $0.contains("can't listen at admin.listen") } })
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try await admin.ready()
        #expect(try await admin.probe().get("/livez").status == 200)
        #expect(admin.log.messages.filter { $0.contains("can't listen") }.count == 1)
        try await admin.end()
        try FileManager.default.removeItem(atPath: folder)
    }
}
