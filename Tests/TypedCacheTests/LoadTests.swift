import CacheCore
import Groundwork
import Testing

@testable import TypedCache

@Suite(.timeLimit(.minutes(10)))
struct LoadTests {
    private let getter = HeldGetter<String, String>()

    private func makeCache(_ change: (inout CacheSettings) -> Void = { _ in }, clock: (any Clock<Duration>)? = nil)
        -> StringCache
    {
        var settings = CacheSettings()
        change(&settings)
        return LoadingCache(settings: settings, clock: clock) { [getter] in try await getter.load($0) }
    }

    @Test func `callers of a key at once share one load`() async throws {
        let cache = makeCache()
        var callers: [Task<String?, any Error>] = []
        for _ in 0..<20 { callers.append(try await cache.caller(of: "k")) }
        try await getter.end("k", .success("v"))
        for caller in callers { #expect(try await caller.value == "v") }
        #expect(getter.runs == 1)
        #expect(try await cache.get("k") == "v")
        let statistics = cache.statistics
        #expect([statistics.gets, statistics.hits, statistics.misses, statistics.loads] == [21, 1, 20, 1])
        #expect([statistics.sharedLoads, statistics.localLoads, statistics.entries] == [1, 1, 1])
    }

    @Test func `different keys load beside one another`() async throws {
        let cache = makeCache()
        let a = try await cache.caller(of: "a")
        let b = try await cache.caller(of: "b")
        try await getter.end("b", .success("2"))
        #expect(try await b.value == "2")
        try await getter.end("a", .success("1"))
        #expect(try await a.value == "1")
    }

    @Test func `cancelling the caller that started a load fails nobody else, and the load fills the cache`()
        async throws
    {
        let cache = makeCache()
        let leader = try await cache.caller(of: "k")
        let follower = try await cache.caller(of: "k")
        leader.cancel()
        await #expect(throws: CancellationError.self) { try await leader.value }
        #expect(cache.callerCount(of: "k") == 1)
        try await getter.end("k", .success("v"))
        #expect(try await follower.value == "v")
        #expect(cache.peek("k") == "v")
    }

    @Test func `a load whose callers have all gone still fills the cache`() async throws {
        let cache = makeCache()
        let caller = try await cache.caller(of: "k")
        try await eventually { getter.held == ["k"] }
        caller.cancel()
        await #expect(throws: CancellationError.self) { try await caller.value }
        try await getter.end("k", .success("v"))
        try await eventually { cache.peek("k") == "v" }
    }

    @Test func `a cancelled caller starts no load, and is served from memory`() async throws {
        let cache = makeCache()
        cache.insert("v", for: "known")
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return [await words { try await cache.get("known") }, await words { try await cache.get("unknown") }]
        }
        #expect(await task.value == ["v", "cancelled"])
        #expect(getter.runs == 0)
    }

    @Test func `a caller that looked before a load landed, and joins after it, does not load again`() async throws {
        let cache = makeCache()
        #expect(cache.peek("k") == nil)
        cache.insert("v", for: "k")
        #expect(try await cache.wait(for: HashedKey("k"), nil, asksMemory: true) == "v")
        #expect(getter.runs == 0)
    }

    @Test func `the getter's own error reaches all who wait, and is not kept`() async throws {
        let cache = makeCache()
        let callers = [try await cache.caller(of: "k"), try await cache.caller(of: "k")]
        try await getter.end("k", .failure(SourceError(text: "no")))
        for caller in callers {
            await #expect(throws: SourceError(text: "no")) { try await caller.value }
        }
        let next = try await cache.caller(of: "k")
        try await getter.end("k", .success("v"))
        #expect(try await next.value == "v")
        #expect(cache.statistics.loadErrors == 1)
    }

    @Test func `a getter's cancellation is not taken for the caller's`() async throws {
        let cache = makeCache()
        let caller = try await cache.caller(of: "k")
        try await getter.end("k", .failure(CancellationError()))
        let error = await #expect(throws: LoadError.self) { try await caller.value }
        #expect(error?.code == .abandoned)
    }

    @Test func `there is none is an answer that is kept for a while`() async throws {
        let clock = MovedClock()
        let cache = makeCache(clock: clock)
        let caller = try await cache.caller(of: "k")
        try await getter.end("k", .success(nil))
        #expect(try await caller.value == nil)
        #expect(try await cache.get("k") == nil)
        #expect(!cache.contains("k"))
        #expect(cache.information(about: "k")?.isMissing == true)
        #expect(cache.statistics.negativeHits == 1)
        clock.advance(.seconds(5))
        let next = try await cache.caller(of: "k")
        try await getter.end("k", .success("v"))
        #expect(try await next.value == "v")
    }

    @TaskLocal static var user = "nobody"

    @Test func `a load does not see the task-local values of the caller that started it`() async throws {
        let cache = LoadingCache<String, String> { _ in Self.user }
        let seen = try await Self.$user.withValue("somebody") { try await cache.get("k") }
        #expect(seen == "nobody")
    }

    @Test func `a getter can be exchanged, also for one call`() async throws {
        let cache = LoadingCache<String, String> { "first \($0)" }
        #expect(try await cache.get("a") == "first a")
        cache.setGetter { "second \($0)" }
        #expect(try await cache.get("a") == "first a")
        #expect(try await cache.get("b") == "second b")
        #expect(try await cache.get("c") { "own \($0)" } == "own c")
        #expect(try await cache.get("c") == "own c")
        #expect(try await cache.refresh("c") == "second c")
    }

    @Test func `a load that takes too long is given up, and who comes then gets a new one`() async throws {
        let clock = MovedClock()
        let cache = makeCache({ $0.loadTimeout = .seconds(2) }, clock: clock)
        let late = try await cache.caller(of: "k")
        try await eventually { getter.held == ["k"] && clock.sleeperCount == 1 }
        clock.advance(.seconds(2))
        let error = await #expect(throws: LoadError.self) { try await late.value }
        #expect(error?.code == .timedOut)
        let next = try await cache.caller(of: "k")
        // What the late one brings is dropped.
        try await getter.end("k", .success("old"))
        try await eventually { getter.runs == 2 }
        try await getter.end("k", .success("new"))
        #expect(try await next.value == "new")
        #expect(cache.peek("k") == "new")
    }

    @Test func `loads beyond the bound wait their turn, and beyond that fail at once`() async throws {
        let cache = makeCache {
            $0.maxLoads = 1
            $0.maxQueuedLoads = 1
        }
        let first = try await cache.caller(of: "a")
        let second = try await cache.caller(of: "b")
        let error = await #expect(throws: LoadError.self) { try await cache.get("c") }
        #expect(error?.code == .busy)
        #expect(getter.runs <= 1)
        try await getter.end("a", .success("1"))
        #expect(try await first.value == "1")
        try await getter.end("b", .success("2"))
        #expect(try await second.value == "2")
    }

    @Test func `a load that waits its turn and is wanted by nobody is not sent`() async throws {
        let cache = makeCache { $0.maxLoads = 1 }
        let first = try await cache.caller(of: "a")
        let second = try await cache.caller(of: "b")
        second.cancel()
        await #expect(throws: CancellationError.self) { try await second.value }
        try await getter.end("a", .success("1"))
        #expect(try await first.value == "1")
        let third = try await cache.caller(of: "c")
        try await getter.end("c", .success("3"))
        #expect(try await third.value == "3")
        #expect(getter.runs == 2)
    }

    @Test func `loads fail at once while the source is silent`() async throws {
        let clock = MovedClock()
        let breaker = CircuitBreaker(threshold: 2)
        let cache = makeCache({ $0.breaker = breaker }, clock: clock)
        for key in ["a", "b"] {
            let caller = try await cache.caller(of: key)
            try await getter.end(key, .failure(LoadError(.unavailable, "silent")))
            await #expect(throws: LoadError.self) { try await caller.value }
        }
        try await eventually { breaker.state == .open }
        let error = await #expect(throws: LoadError.self) { try await cache.get("c") }
        #expect(error?.code == .unavailable)
        #expect(getter.runs == 2)
        clock.advance(.seconds(1))
        let probe = try await cache.caller(of: "c")
        try await getter.end("c", .success("v"))
        #expect(try await probe.value == "v")
        try await eventually { breaker.state == .closed }
    }

    @Test func `a getter may ask the cache for other keys`() async throws {
        let box = Mutex<StringCache?>(nil)
        let cache = StringCache { key in
            guard let shorter = key.isEmpty ? nil : String(key.dropLast()) else { return "." }
            return try await box.withLock { $0 }?.get(shorter).map { "\($0)\(key.count)" }
        }
        box.withLock { $0 = cache }
        #expect(try await cache.get("xyz") == ".123")
        box.withLock { $0 = nil }
    }

    // MARK: The fence

    @Test(arguments: ["remove", "removeAll"])
    func `what a load brings after a removal goes to those who waited and is not kept`(how: String) async throws {
        let cache = makeCache()
        let before = try await cache.caller(of: "k")
        try await eventually { getter.held == ["k"] }
        if how == "remove" { cache.remove("k") } else { cache.removeAll() }
        let after = try await cache.caller(of: "k")
        try await eventually { getter.held.count == 2 }
        try await getter.end("k", .success("old"))
        #expect(try await before.value == "old")
        #expect(cache.peek("k") == nil)
        try await getter.end("k", .success("new"))
        #expect(try await after.value == "new")
        #expect(try await cache.get("k") == "new")
        #expect(cache.statistics.fenced == 1)
    }

    @Test(arguments: ["insert", "insertIfAbsent"])
    func `an older load does not overwrite what was put in`(how: String) async throws {
        let cache = makeCache()
        let before = try await cache.caller(of: "k")
        try await eventually { getter.held == ["k"] }
        if how == "insert" { cache.insert("new", for: "k") } else { cache.insertIfAbsent("new", for: "k") }
        #expect(try await cache.get("k") == "new")
        try await getter.end("k", .success("old"))
        #expect(try await before.value == "old")
        #expect(try await cache.get("k") == "new")
    }

    @Test func `a failed load after a removal is not replaced by the removed value`() async throws {
        let clock = MovedClock()
        let cache = makeCache({ $0.staleIfError = .seconds(600) }, clock: clock)
        cache.insert("old", for: "k")
        clock.advance(.seconds(61))
        let before = try await cache.caller(of: "k")
        cache.remove("k")
        try await getter.end("k", .failure(SourceError(text: "no")))
        await #expect(throws: SourceError(text: "no")) { try await before.value }
    }
}
