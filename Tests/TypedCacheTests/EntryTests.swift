import CacheCore
import Groundwork
import Logging
import Testing

@testable import TypedCache

@Suite(.timeLimit(.minutes(10)))
struct EntryTests {
    private let clock = MovedClock()
    private let getter = CountingGetter()

    private func makeCache(_ change: (inout CacheSettings) -> Void = { _ in }) -> StringCache {
        var settings = CacheSettings()
        change(&settings)
        return LoadingCache(settings: settings, clock: clock) { [getter] in getter.load($0) }
    }

    // MARK: Putting in and taking out

    @Test func `insert replaces, and returns what was there`() async throws {
        let cache = makeCache()
        #expect(cache.insert("a", for: "k") == nil)
        #expect(cache.insert("b", for: "k") == "a")
        #expect(try await cache.get("k") == "b")
        #expect(cache.count == 1)
        #expect(getter.total == 0)
    }

    @Test func `insertIfAbsent keeps what is there`() {
        let cache = makeCache()
        #expect(cache.insertIfAbsent("a", for: "k"))
        #expect(!cache.insertIfAbsent("b", for: "k"))
        #expect(cache.peek("k") == "a")
        clock.advance(.seconds(60))
        #expect(cache.insertIfAbsent("c", for: "k"))
        #expect(cache.peek("k") == "c")
    }

    @Test func `remove returns what was there`() {
        let cache = makeCache()
        cache.insert("a", for: "k")
        #expect(cache.contains("k"))
        #expect(cache.remove("k") == "a")
        #expect(cache.remove("k") == nil)
        #expect(!cache.contains("k"))
        #expect(cache.invariantViolations() == [])
    }

    @Test func `removeAll leaves nothing`() async throws {
        let cache = makeCache { $0.shards = 8 }
        for number in 0..<500 { cache.insert("v", for: "\(number)") }
        #expect(cache.count == 500)
        #expect(cache.keys.count == 500)
        cache.removeAll()
        #expect(cache.count == 0)
        #expect(cache.totalCost == 0)
        #expect(cache.invariantViolations() == [])
        #expect(try await cache.get("7") == "71")
    }

    @Test func `keys of any kind find values of any kind, held as they are`() async throws {
        struct Point: Hashable { var x, y: Int }
        final class Picture: Sendable {}
        let picture = Picture()
        let cache = LoadingCache<Point, Picture> { $0.x == 0 ? nil : picture }
        #expect(try await cache.get(Point(x: 1, y: 2)) === picture)
        #expect(try await cache.get(Point(x: 1, y: 2)) === picture)
        #expect(try await cache.get(Point(x: 0, y: 2)) == nil)
    }

    // MARK: Time

    @Test func `an entry is loaded again when its time is over`() async throws {
        let cache = makeCache()
        #expect(try await cache.get("k") == "k1")
        clock.advance(.seconds(59))
        #expect(try await cache.get("k") == "k1")
        clock.advance(.seconds(1))
        #expect(try await cache.get("k") == "k2")
    }

    @Test func `expired entries leave without anyone asking`() async throws {
        let cache = makeCache { $0.shards = 4 }
        for number in 0..<300 { cache.insert("v", for: "\(number)") }
        cache.insert("v", for: "stays", lifespan: .unlimited)
        try await eventually { clock.sleeperCount == 1 }
        clock.advance(.seconds(60))
        try await eventually { cache.count == 1 }
        #expect(cache.statistics.expirations == 300)
        #expect(cache.invariantViolations() == [])
    }

    @Test func `an entry that comes later and leaves sooner is not overslept`() async throws {
        let cache = makeCache()
        cache.insert("v", for: "long")
        try await eventually { clock.sleeperCount == 1 }
        cache.insert("v", for: "short", lifespan: Lifespan(timeToLive: .seconds(1)))
        try await eventually { clock.sleeperCount == 1 }
        clock.advance(.seconds(1))
        try await eventually { cache.count == 1 }
        #expect(cache.keys == ["long"])
        try await eventually { clock.sleeperCount == 1 }
        clock.advance(.seconds(59))
        try await eventually { cache.count == 0 }
    }

    @Test func `an entry that is asked for stays beyond its idle time, and leaves when nobody asks`() async throws {
        let cache = makeCache {
            $0.timeToLive = nil
            $0.idleTimeToLive = .seconds(10)
        }
        cache.insert("v", for: "asked")
        cache.insert("v", for: "touched")
        cache.insert("v", for: "forgotten")
        for _ in 0..<5 {
            clock.advance(.seconds(6))
            #expect(try await cache.get("asked") == "v")
            #expect(cache.touch("touched"))
        }
        try await eventually { cache.count == 2 }
        #expect(!cache.touch("forgotten"))
        try await eventually { clock.sleeperCount == 1 }
        clock.advance(.seconds(20))
        try await eventually { cache.count == 0 }
    }

    @Test func `each entry may have a life span of its own`() async throws {
        let cache = LoadingCache<String, String>(
            lifespan: { _, value in Lifespan(timeToLive: .seconds(value.count)) }, clock: clock,
            getter: { [getter] in getter.load($0) })
        #expect(try await cache.get("abc") == "abc1")
        cache.insert("x", for: "y")
        cache.insert("x", for: "z", lifespan: Lifespan(timeToLive: .seconds(100)))
        cache.insert("gone", for: "at once", lifespan: Lifespan(timeToLive: .zero))
        #expect(cache.peek("at once") == nil)
        clock.advance(.seconds(1))
        #expect(cache.peek("y") == nil)
        #expect(cache.peek("abc") == "abc1")
        clock.advance(.seconds(3))
        #expect(cache.peek("abc") == nil)
        #expect(cache.peek("z") == "x")
    }

    @Test func `jitter shortens lives by up to its part`() {
        let cache = makeCache { $0.jitter = 0.5 }
        for number in 0..<200 { cache.insert("v", for: "\(number)") }
        let lives = (0..<200).compactMap { cache.information(about: "\($0)")?.remaining }
        #expect(lives.count == 200)
        #expect(lives.allSatisfy { $0 > .seconds(30) && $0 <= .seconds(60) })
        #expect(Set(lives).count > 100)
    }

    @Test func `an entry past its refresh age is served and reloaded once`() async throws {
        let held = HeldGetter<String, String>()
        var settings = CacheSettings()
        settings.refreshAfter = .seconds(45)
        let cache = StringCache(settings: settings, clock: clock) { try await held.load($0) }
        cache.insert("old", for: "k")
        clock.advance(.seconds(45))
        for _ in 0..<3 { #expect(try await cache.get("k") == "old") }
        try await held.end("k", .failure(SourceError(text: "no")))
        try await eventually { cache.statistics.loadErrors == 1 }
        #expect(try await cache.get("k") == "old")
        #expect(held.runs == 1)
        clock.advance(.seconds(1))
        #expect(try await cache.get("k") == "old")
        try await held.end("k", .success("new"))
        try await eventually { cache.peek("k") == "new" }
        #expect(held.runs == 2)
        #expect(cache.statistics.refreshes == 2)
    }

    @Test func `with early refresh a hit near the end reloads`() async throws {
        let held = HeldGetter<String, String>()
        var settings = CacheSettings()
        settings.earlyRefresh = true
        let cache = StringCache(settings: settings, clock: clock) { try await held.load($0) }
        let first = try await cache.caller(of: "k")
        clock.advance(.seconds(10))
        try await held.end("k", .success("old"))
        #expect(try await first.value == "old")
        clock.advance(.seconds(59))
        // The load took 10 s, and one is left: each hit reloads with a chance of nine in ten.
        for _ in 0..<50 { #expect(try await cache.get("k") == "old") }
        try await held.end("k", .success("new"))
        try await eventually { cache.peek("k") == "new" }
        #expect(held.runs == 2)
    }

    @Test func `the last value stands in for a failed load within its bound`() async throws {
        var settings = CacheSettings()
        settings.staleIfError = .seconds(600)
        let cache = StringCache(settings: settings, clock: clock) { _ in throw SourceError(text: "no") }
        cache.insert("old", for: "k")
        clock.advance(.seconds(61))
        #expect(cache.peek("k") == nil)
        #expect(try await cache.get("k") == "old")
        #expect(cache.statistics.staleHits == 1)
        clock.advance(.seconds(600))
        #expect(await words { try await cache.get("k") } == "error: no")
    }

    @Test func `expiry works by the system's clock`() async throws {
        let cache = StringCache { _ in nil }
        cache.insert("v", for: "k", lifespan: Lifespan(timeToLive: .milliseconds(10)))
        try await eventually { cache.count == 0 }
    }

    // MARK: Room

    @Test func `the entry that was not asked for the longest goes first`() async throws {
        let cache = makeCache { $0.capacity = 3 }
        for key in ["a", "b", "c"] { _ = try await cache.get(key) }
        clock.advance(.seconds(1))
        _ = try await cache.get("a")
        // Looking does not count.
        _ = cache.peek("b")
        _ = cache.contains("b")
        _ = try await cache.get("d")
        #expect(cache.keys.sorted() == ["a", "c", "d"])
        cache.insert("v", for: "e")
        #expect(cache.keys.sorted() == ["a", "d", "e"])
        #expect(cache.statistics.evictions == 2)
        #expect(cache.invariantViolations() == [])
    }

    @Test func `the sum of costs stays within the bound, and what is larger is delivered and not kept`() async throws {
        var settings = CacheSettings()
        settings.capacity = 1000
        settings.shards = 4
        let cache = LoadingCache<Int, String>(settings: settings, cost: { _, value in value.utf8.count }, clock: clock)
        {
            String(repeating: "x", count: $0)
        }
        for length in 1...300 {
            #expect(try await cache.get(length)?.count == length)
            #expect(cache.totalCost <= 1000)
        }
        #expect(cache.count > 1)
        #expect(try await cache.get(1001)?.count == 1001)
        #expect(!cache.contains(1001))
        #expect(cache.statistics.tooLarge == 1)
        // A value that grows beyond the bound is not kept, and its former one goes.
        cache.insert("y", for: 5)
        cache.insert(String(repeating: "y", count: 2000), for: 5)
        #expect(!cache.contains(5))
        #expect(cache.invariantViolations() == [])
    }

    @Test func `a replaced value makes no other go`() {
        let cache = makeCache { $0.capacity = 2 }
        cache.insert("1", for: "a")
        cache.insert("1", for: "b")
        for number in 0..<10 { cache.insert("\(number)", for: "b") }
        #expect(cache.keys.sorted() == ["a", "b"])
    }

    @Test func `there is a bound by default`() {
        let cache = LoadingCache<Int, Int> { $0 }
        for number in 0..<20_000 { cache.insert(number, for: number) }
        #expect(cache.count == 10_000)
        // Nearly in order of last use over all parts.
        #expect(cache.keys.filter { $0 >= 10_000 }.count > 9_000)
    }

    // MARK: Observing

    @Test func `observers hear of what comes and goes, with the value, outside the lock`() async throws {
        let cache = makeCache { $0.capacity = 2 }
        let diary = Diary()
        let observe = { @Sendable (event: CacheEvent<String, String>) in
            // Would hang if a lock were held.
            _ = cache.statistics
            switch event {
            case .added(let key, let value): diary.note("added \(key) \(value)")
            case .removed(let key, let value, let reason): diary.note("\(reason) \(key) \(value)")
            }
        }
        let observation = cache.observe(observe)
        let second = cache.observe { _ in diary.note("second") }
        _ = try await cache.get("a")
        #expect(diary.all == ["added a a1", "second"])
        cache.removeObserver(second)
        cache.insert("x", for: "a")
        cache.insert("y", for: "b")
        cache.insert("z", for: "c")
        cache.remove("b")
        clock.advance(.seconds(60))
        try await eventually { cache.count == 0 }
        cache.insert("w", for: "d")
        cache.removeAll()
        #expect(
            diary.all.dropFirst(2) == [
                "replaced a a1", "added a x", "added b y", "added c z", "evicted a x", "removed b y", "expired c z",
                "added d w", "removed d w",
            ])
        cache.removeObserver(observation)
        cache.insert("v", for: "e")
        #expect(diary.all.count == 11)
    }

    @Test func `one entry's expiry calls back with its value, and nothing else does`() async throws {
        let cache = makeCache()
        let diary = Diary()
        for key in ["removed", "replaced", "expired", "asked"] {
            cache.insert(key, for: key) { value in
                _ = cache.statistics
                diary.note(value)
            }
        }
        cache.remove("removed")
        cache.insert("other", for: "replaced")
        clock.advance(.seconds(60))
        #expect(try await cache.get("asked") == "asked1")
        try await eventually { diary.all.count == 2 }
        #expect(diary.all.sorted() == ["asked", "expired"])
    }

    @Test func `an entry tells its age, when it was asked for last, and exactly how often`() async throws {
        let cache = makeCache()
        _ = try await cache.get("k")
        clock.advance(.seconds(10))
        for _ in 0..<7 { _ = try await cache.get("k") }
        clock.advance(.seconds(5))
        let information = try #require(cache.information(about: "k"))
        #expect(information.age == .seconds(15))
        #expect(information.idle == .seconds(5))
        #expect(information.accesses == 7)
        #expect(information.cost == 1)
        #expect(information.remaining == .seconds(45))
        #expect(cache.information(about: "other") == nil)
    }

    @Test func `the most accessed come first, over all parts`() async throws {
        let cache = makeCache { $0.shards = 8 }
        for number in 0..<100 {
            cache.insert("v", for: "\(number)")
            for _ in 0..<number { _ = try await cache.get("\(number)") }
        }
        let top = cache.mostAccessed(3)
        #expect(top.map(\.key) == ["99", "98", "97"])
        #expect(top.map(\.accesses) == [99, 98, 97])
        #expect(cache.mostAccessed(1000).count == 100)
        #expect(cache.mostAccessed(-1).isEmpty)
    }

    @Test func `forEach meets each value that may be served`() {
        let cache = makeCache { $0.shards = 8 }
        for number in 0..<300 { cache.insert("v\(number)", for: "\(number)") }
        var seen: [String: String] = [:]
        cache.forEach { key, value in
            seen[key] = value
            cache.remove(key)
        }
        #expect(seen.count == 300)
        #expect(seen["7"] == "v7")
        #expect(cache.count == 0)
    }

    @Test func `the log hears of failed loads, without keys and values`() async throws {
        let diary = Diary()
        var settings = CacheSettings()
        settings.logger = Logger(label: "test") { _ in DiaryLog(diary: diary) }
        let cache = StringCache("users", settings: settings) { _ in throw SourceError(text: "no") }
        _ = try? await cache.get("secret")
        cache.insert("secret", for: "secret")
        #expect(diary.all.first?.contains("load failed") == true)
        #expect(diary.all.contains { $0.contains("entry added") })
        #expect(diary.all.allSatisfy { $0.contains("users") && !$0.contains("secret") })
    }

    // MARK: By name

    @Test func `caches are found by name, and taken away`() throws {
        let directory = CacheDirectory()
        let users = LoadingCache<Int, String>("users") { _ in nil }
        try directory.add(users)
        try directory.add(LoadingCache<String, Int>("prices") { _ in nil })
        #expect(throws: DuplicateCacheError(name: "users")) { try directory.add(users) }
        #expect(directory.names == ["prices", "users"])
        #expect(directory.cache(named: "users", LoadingCache<Int, String>.self) === users)
        #expect(directory.cache(named: "users", LoadingCache<String, String>.self) == nil)
        #expect(directory.cache(named: "nobody", LoadingCache<Int, String>.self) == nil)
        users.insert("Ada", for: 7)
        #expect(directory.remove(named: "users"))
        #expect(!directory.remove(named: "users"))
        #expect(users.count == 0)
        #expect(directory.names == ["prices"])
        try directory.add(users)
        users.insert("Ada", for: 7)
        directory.removeAllEntries()
        #expect(users.count == 0)
    }
}

/// A log that writes a diary.
private struct DiaryLog: LogHandler {
    let diary: Diary
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        diary.note("\(event.message) \(event.metadata ?? [:])")
    }
}
