import Groundwork
import LoadTest
import Testing

@testable import Top

@Suite struct TopScreenTests {
    /// What `INFO` says, as far as the screen is concerned.
    private func info(
        gets: Int, misses: Int, loads: Int, seconds: Int64, process: Int = 7, changes: String = "notify"
    ) -> InfoSample {
        InfoSample(
            """
            # Server\r
            pgsidecar_version:0.1.0\r
            process_id:\(process)\r
            unix_socket:/run/s.sock\r
            uptime_in_seconds:\(seconds)\r
            # Clients\r
            connected_clients:12\r
            # Memory\r
            used_memory_cache:1572864\r
            maxmemory:268435456\r
            used_memory_rss:47185920\r
            # CPU\r
            used_cpu_sys:\(seconds).250000\r
            used_cpu_user:\(seconds).250000\r
            # Stats\r
            total_commands_processed:\(gets)\r
            # Groups\r
            group_account:gets=\(gets),hits=\(gets - misses),misses=\(misses),loads=\(loads),entries=1234567,bytes=1024,\
            load_us_p50=250,load_us_p99=1900\r
            group_idle:gets=0\r
            # Database\r
            database_connections_wanted:4\r
            database_connections_ready:3\r
            database_circuit:open\r
            failing_groups:account\r
            # Invalidation\r
            invalidation_source:\(changes)\r
            invalidation_state:suspect\r
            """, at: Instant(nanoseconds: seconds * 1_000_000_000))
    }

    private func row(_ name: String, _ lines: [String]) -> [String] {
        lines.first { $0.hasPrefix(name) }?.split(separator: " ").map { String($0) } ?? []
    }

    @Test func `between two samples it tells rates, and of the first one those since the start`() {
        let first = info(gets: 1000, misses: 500, loads: 300, seconds: 100)
        let since = TopScreen(first, since: nil).lines(width: 200)
        #expect(since[0].contains("up 1 min 40 s") && since[0].contains("since the start"))
        #expect(row("account", since)[1...3] == ["10", "50.0%", "3.0"])
        let second = info(gets: 3000, misses: 600, loads: 310, seconds: 102)
        let lines = TopScreen(second, since: first).lines(width: 200)
        #expect(lines[0].contains("in the last second"))
        #expect(lines[1].contains("requests/s 1,000") && lines[1].contains("processor 200.0%"))
        #expect(lines[1].contains("memory 1.5 MiB of 256.0 MiB") && lines[1].contains("resident 45.0 MiB"))
        #expect(lines[2].contains("hit ratio 95.0%") && lines[2].contains("saved by sharing/s 45"))
        #expect(row("account", lines)[1...3] == ["1,000", "95.0%", "5.0"])
        #expect(row("account", lines).contains("1,234,567"))
        #expect(row("account", lines)[7...8] == ["0.3", "1.9"])
        #expect(row("idle", lines)[2] == "-")
    }

    @Test func `what is wrong is in capitals`() {
        let text = TopScreen(info(gets: 1, misses: 1, loads: 1, seconds: 1), since: nil).lines(width: 200).joined()
        for word in ["CIRCUIT OPEN", "FAILING account", "SUSPECT", "3 of 4 connections"] {
            #expect(text.contains(word), "\(word)")
        }
        let quiet = TopScreen(info(gets: 1, misses: 1, loads: 1, seconds: 1, changes: "none"), since: nil)
        #expect(quiet.lines(width: 200).joined().contains("changes: nothing tells of them"))
    }

    @Test func `a process that began anew is told from its own start`() {
        let old = info(gets: 5000, misses: 0, loads: 0, seconds: 100, process: 7)
        let new = info(gets: 20, misses: 10, loads: 10, seconds: 10, process: 8)
        let lines = TopScreen(new, since: old).lines(width: 200)
        #expect(lines[0].contains("since the start"))
        #expect(row("account", lines)[1...2] == ["2.0", "50.0%"])
    }

    @Test func `columns stand below one another, and lines are cut at the width`() {
        let lines = TopScreen(info(gets: 1, misses: 1, loads: 1, seconds: 1), since: nil).lines(width: 60)
        #expect(lines.allSatisfy { $0.count <= 60 })
        let table = TopScreen(info(gets: 1, misses: 1, loads: 1, seconds: 1), since: nil).lines(width: 500)
            .filter { ["group", "account", "idle"].contains($0.split(separator: " ").first ?? "") }
        #expect(table.count == 3 && Set(table.map(\.count)).count == 1)
    }

    @Test func `slow loads are told with what they waited for, and no key reaches the terminal as an order`() throws {
        let texts = [
            "LOAD", "account:\u{1b}[2J\n1", "queue", "1500", "connection", "0", "database", "250000", "error", "query",
        ]
        let reply = WireReply.array([
            .line("3"), .line("1763748000"), .line("251500"), .array(texts.map { .bulk(Array($0.utf8)) }),
        ])
        let load = try #require(TopScreen.SlowLoad(reply))
        let lines = TopScreen(info(gets: 1, misses: 1, loads: 1, seconds: 1), since: nil, slowLoads: [load])
            .lines(width: 200)
        #expect(
            lines.last == "account:·[2J·1   251.5 ms: queue 1.5 ms, connection 0.0 ms, database 250.0 ms   query")
        #expect(TopScreen.SlowLoad(.array([.line("3")])) == nil && TopScreen.SlowLoad(.null) == nil)
    }

    @Test(arguments: [
        (0, "0 B"), (1023, "1,023 B"), (1024, "1.0 KiB"), (1 << 20, "1.0 MiB"), (1_048_575, "1.0 MiB"),
        (5_368_709_120, "5.0 GiB"),
    ])
    func `sizes are told in their unit`(_ count: Int, _ text: String) {
        #expect(TopScreen.bytes(count) == text)
    }

    @Test func `a text that is no INFO is all zeros and no trap`() {
        for text in ["", "\r\n\r\n:", "group_x", "group_:=,=,a=b,c=", "uptime_in_seconds:-9223372036854775808"] {
            let sample = InfoSample(text, at: .now())
            #expect(!TopScreen(sample, since: sample).lines(width: 80).isEmpty)
        }
    }
}
