import CacheCore
import Groundwork
import Testing

struct InvalidationTests {
    private let getter = HeldGetter()

    /// Keys enough to be in every shard.
    private static let keys = (0..<200).map { "key \($0)" }

    private func makeBench(memory: Int = .max, _ change: (inout GroupSettings) -> Void = { _ in }) throws -> Bench {
        var settings = GroupSettings()
        change(&settings)
        return try Bench(memory: memory, settings: settings, getter: getter)
    }

    /// Has a key loaded.
    private func fill(_ bench: Bench, _ key: String, _ text: String) throws {
        try #require(bench.get(key) == "leads")
        try #require(getter.next()).succeed(text)
        try #require(bench.peek(key) == text)
    }

    // MARK: Suspended

    @Test func `suspended, a group serves nothing that it held, in no shard`() throws {
        let bench = try makeBench()
        for key in Self.keys { try fill(bench, key, "old") }
        bench.group.suspendStoring()
        #expect(!bench.group.isStoring)
        #expect(bench.group.count == 0)
        for key in Self.keys { #expect(bench.get(key) == "leads") }
        #expect(bench.cache.usedBytes == 0)
    }

    @Test func `suspended, a load is shared, delivered and not kept, in no shard`() throws {
        let bench = try makeBench()
        bench.group.suspendStoring()
        for (token, key) in Self.keys.enumerated() {
            #expect(bench.get(key, token: UInt64(2 * token)) == "leads")
            #expect(bench.get(key, token: UInt64(2 * token + 1)) == "follows")
            try #require(getter.next()).succeed("v")
            #expect(bench.outcomes[UInt64(2 * token)] == ["v"])
            #expect(bench.outcomes[UInt64(2 * token + 1)] == ["v"])
            #expect(bench.get(key) == "leads", "each call that comes after it loads again")
            try #require(getter.next()).drop()
        }
        #expect(bench.group.statistics.transient == Self.keys.count)
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `what began before the suspension is not kept, whether it lands before the resumption or after it`()
        throws
    {
        for landsAfter in [false, true] {
            let bench = try makeBench()
            bench.get("k", token: 1)
            let old = try #require(getter.next())
            bench.group.suspendStoring()
            if !landsAfter { old.succeed("old") }
            bench.group.resumeStoring()
            if landsAfter { old.succeed("old") }
            #expect(bench.outcomes[1] == ["old"])
            #expect(bench.peek("k") == nil)
        }
    }

    @Test func `what began during the suspension is not kept after it, as it may be older than what tells of changes`()
        throws
    {
        let bench = try makeBench()
        bench.group.suspendStoring()
        for key in Self.keys { bench.get(key, token: 1) }
        bench.group.resumeStoring()
        while let flight = getter.next() { flight.succeed("old") }
        #expect(bench.outcomes[1].count == Self.keys.count)
        #expect(bench.group.count == 0)
        #expect(bench.group.statistics.fenced == Self.keys.count)
    }

    @Test func `resumed, a group keeps what is loaded, in every shard`() throws {
        let bench = try makeBench()
        bench.group.suspendStoring()
        bench.group.resumeStoring()
        #expect(bench.group.isStoring)
        for key in Self.keys { try fill(bench, key, "new") }
        #expect(bench.group.count == Self.keys.count)
    }

    @Test func `suspending twice and resuming once is resumed; resuming what is not suspended flushes`() throws {
        let bench = try makeBench()
        bench.group.suspendStoring()
        bench.group.suspendStoring()
        bench.group.resumeStoring()
        try fill(bench, "k", "v")
        bench.get("other", token: 1)
        bench.group.resumeStoring()
        #expect(bench.peek("k") == nil)
        try #require(getter.next()).succeed("old")
        #expect(bench.peek("other") == nil)
    }

    @Test func `suspended, nothing is put in, and nothing goes to make room for what is not kept`() throws {
        let bench = try makeBench(memory: 4096)
        let other = try Group("other", in: bench.cache, getter: PromptGetter())
        #expect(other.insertIfAbsent(Key("kept"), Value(text: [UInt8](repeating: 1, count: 2000))))
        bench.group.suspendStoring()
        #expect(!bench.insertIfAbsent("k", "v"))
        #expect(!bench.insertIfAbsent("long", String(repeating: "x", count: 3000)))
        bench.get("long", token: 1)
        try #require(getter.next()).succeed(String(repeating: "x", count: 3000))
        #expect(bench.outcomes[1].count == 1)
        #expect(other.peek(Key("kept")) != nil)
        bench.group.resumeStoring()
        #expect(bench.insertIfAbsent("k", "v"))
    }

    @Test func `a fenced load makes no room for what it does not keep`() throws {
        let bench = try makeBench(memory: 4096)
        #expect(bench.insertIfAbsent("kept", String(repeating: "x", count: 2000)))
        bench.get("long")
        bench.invalidate("long")
        try #require(getter.next()).succeed(String(repeating: "x", count: 3000))
        #expect(bench.peek("kept") != nil)
    }

    @Test func `suspended, the last value does not stand in for a failed load`() throws {
        let bench = try makeBench { $0.staleIfError = .seconds(600) }
        try fill(bench, "k", "old")
        bench.clock.advance(.seconds(61))
        bench.group.suspendStoring()
        bench.get("k", token: 1)
        try #require(getter.next()).fail(LoadError(.unavailable, "down"))
        #expect(bench.outcomes[1] == ["error: down"])
    }

    @Test func `of calls to suspend and to resume that overlap on threads one counts, for all shards`() async throws {
        let bench = try makeBench { $0.shards = 64 }
        let group = bench.group
        for _ in 0..<50 {
            await withTaskGroup(of: Void.self) { tasks in
                for number in 0..<8 {
                    tasks.addTask {
                        if number.isMultiple(of: 2) { group.suspendStoring() } else { group.resumeStoring() }
                    }
                }
            }
            var kept = 0
            for key in Self.keys where bench.insertIfAbsent(key, "v") { kept += 1 }
            #expect(kept == (group.isStoring ? Self.keys.count : 0))
        }
    }

    // MARK: Delivered and not kept

    @Test(arguments: [true, false])
    func `a transient value reaches all who wait and is not kept, nor an older one beside it`(isMissing: Bool) throws {
        let bench = try makeBench { $0.refreshAfter = .seconds(1) }
        try fill(bench, "k", "old")
        bench.clock.advance(.seconds(2))
        #expect(bench.get("k") == "old (refreshes)")
        #expect(bench.refresh("k", token: 1) == "follows")
        #expect(bench.refresh("k", token: 2) == "follows")
        let value = isMissing ? Value.missing : Value("new")
        try #require(getter.next()).succeed(value.transient())
        #expect(bench.outcomes[1] == [isMissing ? "missing" : "new"])
        #expect(bench.outcomes[2] == bench.outcomes[1])
        #expect(bench.peek("k") == nil)
        #expect(bench.group.statistics.transient == 1)
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `a transient value is the same value, and is not put in either`() throws {
        let bench = try makeBench()
        #expect(Value("v").transient() == Value("v"))
        #expect(!bench.group.insertIfAbsent(Key("k"), Value("v").transient()))
        #expect(bench.peek("k") == nil)
    }

    // MARK: Reloading

    @Test func `a key in memory that changed is loaded again, and the old value is not served meanwhile`() throws {
        let bench = try makeBench { $0.staleIfError = .seconds(600) }
        try fill(bench, "k", "old")
        #expect(bench.reload("k"))
        #expect(bench.peek("k") == nil)
        #expect(bench.get("k", token: 1) == "follows")
        let flight = try #require(getter.next())
        #expect(flight.isWanted(at: bench.clock.now))
        flight.succeed("new")
        #expect(bench.outcomes[1] == ["new"])
        #expect(bench.get("k") == "new")
        #expect(bench.group.statistics.reloads == 1)
        #expect(bench.group.statistics.loads == 2)
    }

    @Test func `the old value does not stand in for a reload that fails`() throws {
        let bench = try makeBench { $0.staleIfError = .seconds(600) }
        try fill(bench, "k", "old")
        #expect(bench.reload("k"))
        #expect(bench.get("k", token: 1) == "follows")
        try #require(getter.next()).fail(LoadError(.unavailable, "down"))
        #expect(bench.outcomes[1] == ["error: down"])
        #expect(bench.get("k") == "leads")
    }

    @Test func `a key that is not in memory, or no longer served, is invalidated and not loaded`() throws {
        let bench = try makeBench()
        #expect(!bench.reload("k"))
        try fill(bench, "k", "old")
        bench.clock.advance(.seconds(61))
        #expect(!bench.reload("k"))
        #expect(getter.held.isEmpty)
    }

    @Test func `a miss that is under way when its key is reloaded is fenced and not repeated`() throws {
        let bench = try makeBench()
        bench.get("k", token: 1)
        #expect(!bench.reload("k"))
        try #require(getter.next()).succeed("old")
        #expect(bench.outcomes[1] == ["old"])
        #expect(bench.peek("k") == nil)
    }

    @Test func `a cached absence is reloaded, too`() throws {
        let bench = try makeBench()
        bench.get("k")
        try #require(getter.next()).succeed(Value.missing)
        #expect(bench.reload("k"))
        try #require(getter.next()).succeed("born")
        #expect(bench.get("k") == "born")
    }

    @Test func `a key that changes again while it is reloaded is loaded once more, and keeps the newest`() throws {
        let bench = try makeBench()
        try fill(bench, "k", "first")
        #expect(bench.reload("k"))
        #expect(bench.get("k", token: 1) == "follows")
        #expect(bench.reload("k"))
        #expect(bench.get("k", token: 2) == "follows")
        let second = try #require(getter.next())
        let third = try #require(getter.next())
        third.succeed("third")
        second.succeed("second")
        #expect(bench.outcomes[1] == ["second"])
        #expect(bench.outcomes[2] == ["third"])
        #expect(bench.get("k") == "third")
    }

    @Test func `a reload whose key changed again is no longer wanted, unless somebody waits for it`() throws {
        let bench = try makeBench()
        try fill(bench, "k", "first")
        #expect(bench.reload("k"))
        #expect(bench.reload("k"))
        #expect(bench.get("k", token: 1) == "follows")
        #expect(bench.reload("k"))
        #expect(getter.held == ["k", "k", "k"])
        let wanted = try (0..<3).map { _ in
            let flight = try #require(getter.next())
            defer { flight.drop() }
            return flight.isWanted(at: bench.clock.now)
        }
        #expect(wanted == [false, true, true])
    }

    @Test func `reloads take their turn with the other loads of the group, and those not wanted are dropped there`()
        throws
    {
        let bench = try makeBench { $0.maxLoads = 1 }
        for key in ["a", "b"] { try fill(bench, key, "old") }
        bench.get("c")
        #expect(bench.reload("a"))
        #expect(bench.reload("b"))
        #expect(bench.reload("a"))
        #expect(getter.held == ["c"])
        try #require(getter.next()).succeed("v")
        #expect(getter.held == ["b"])
        try #require(getter.next()).succeed("new b")
        #expect(getter.held == ["a"])
        try #require(getter.next()).succeed("new a")
        #expect(bench.get("a") == "new a")
        #expect(bench.get("b") == "new b")
        #expect(bench.group.statistics.loads == 6)
    }

    @Test func `reloads beyond the queue fail and the next caller loads`() throws {
        let bench = try makeBench {
            $0.maxLoads = 1
            $0.maxQueuedLoads = 1
        }
        for key in ["a", "b"] { try fill(bench, key, "old") }
        bench.get("c")
        #expect(bench.reload("a"))
        #expect(bench.reload("b"))
        #expect(bench.peek("b") == nil)
        #expect(bench.get("b", token: 1) == "leads")
        #expect(bench.outcomes[1].first?.hasPrefix("error: g: too many loads") ?? false)
        while let flight = getter.next() { flight.drop() }
    }

    @Test func `a flight for a reload that nobody starts ends, and those who joined it hear of it`() throws {
        let bench = try makeBench()
        try fill(bench, "k", "old")
        let key = Array("k".utf8)
        let flight = bench.group.reload(key.span.bytes)
        #expect(bench.get("k", token: 1) == "follows")
        #expect(bench.outcomes[1].isEmpty)
        _ = consume flight
        #expect(bench.outcomes[1] == ["error: g: the load ended without an answer"])
        #expect(bench.get("k") == "leads")
    }

    @Test func `suspended, nothing is reloaded`() throws {
        let bench = try makeBench()
        try fill(bench, "k", "old")
        #expect(bench.reload("k"))
        bench.group.suspendStoring()
        #expect(!bench.reload("k"))
        let flight = try #require(getter.next())
        #expect(!flight.isWanted(at: bench.clock.now))
        bench.group.resumeStoring()
        flight.succeed("old")
        #expect(bench.peek("k") == nil)
    }
}
