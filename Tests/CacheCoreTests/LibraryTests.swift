import Groundwork
import Testing

@testable import CacheCore

@Suite(.timeLimit(.minutes(10)))
struct LibraryTests {
    private let getter = HeldGetter()

    /// A group whose callers wait long enough for a busy machine.
    private func patientGroup() throws -> Group {
        var settings = GroupSettings()
        settings.loadTimeout = .seconds(50)
        return try Group("g", settings: settings, getter: getter)
    }

    /// Waits for a load to be held: the event that async callers cause on threads of their own.
    private func heldFlight() async -> FlightBox {
        while true {
            if let flight = getter.next() { return flight }
            await Task.yield()
        }
    }

    @Test func `async callers share a load`() async throws {
        let group = try patientGroup()
        async let values = withTaskGroup(of: String?.self) { tasks in
            for _ in 0..<50 { tasks.addTask { try? await group.get(Key("k")).map { string($0.text) } } }
            return await tasks.reduce(into: []) { $0.append($1) }
        }
        let flight = await heldFlight()
        while group.statistics.gets < 50 { await Task.yield() }
        flight.succeed("v")
        #expect(await values == Array(repeating: "v", count: 50))
        #expect(group.statistics.loads == 1)
        #expect(group.statistics.localLoads == 1)
        #expect(try await group.get(Key("k")).map { string($0.text) } == "v")
    }

    @Test func `a cancelled caller returns at once and the others get the answer`() async throws {
        let group = try patientGroup()
        let leader = Task { try await group.get(Key("k")) }
        let flight = await heldFlight()
        let follower = Task { try await group.get(Key("k")) }
        while group.statistics.gets < 2 { await Task.yield() }
        leader.cancel()
        await #expect(throws: CancellationError.self) { try await leader.value }
        flight.succeed("v")
        #expect(try await follower.value.map { string($0.text) } == "v")
    }

    @Test func `a caller whose load does not end in time gets an error, and the flight goes on`() async throws {
        var settings = GroupSettings()
        settings.loadTimeout = .milliseconds(20)
        let group = try Group("g", settings: settings, getter: getter)
        let error = await #expect(throws: LoadError.self) { try await group.get(Key("k")) }
        #expect(error?.code == .timedOut)
        await heldFlight().succeed("v")
        #expect(group.peek(Key("k")).map { string($0.text) } == "v")
    }

    @Test func `a missing row is nil`() async throws {
        let group = try Group("g", getter: AsyncGetter { _ in nil })
        #expect(try await group.get(Key("k")) == nil)
        #expect(group.peek(Key("k"))?.isMissing == true)
    }

    private struct SourceError: Error, Equatable {
        let text: String
    }

    @Test func `what an async getter throws reaches all callers as it is, but for a cancellation`() async throws {
        let group = try Group(
            "g",
            getter: AsyncGetter { key in
                switch String(decoding: key.bytes, as: UTF8.self) {
                case "load": throw LoadError(.badKey, "bad")
                case "gone": throw CancellationError()
                case let text: throw SourceError(text: text)
                }
            })
        #expect(await #expect(throws: SourceError.self) { try await group.get(Key("k")) } == SourceError(text: "k"))
        #expect(await #expect(throws: SourceError.self) { try await group.refresh(Key("k")) } == SourceError(text: "k"))
        let refused = await #expect(throws: LoadError.self) { try await group.get(Key("load")) }
        #expect(refused == LoadError(.badKey, "bad"))
        let gone = await #expect(throws: LoadError.self) { try await group.get(Key("gone")) }
        #expect(gone == LoadError(.abandoned, "g: the load ended without an answer"))
    }

    @Test func `an error that a getter puts behind a load error reaches callers, and its text nobody else`()
        async throws
    {
        let getter = HeldGetter()
        let bench = try Bench(getter: getter)
        bench.get("k", token: 1)
        try #require(getter.next()).fail(
            LoadError(.query, "refused", detail: "secret", underlyingError: SourceError(text: "secret")))
        #expect(bench.outcomes[1] == ["error: refused"])
        let group = try Group("g", getter: RefusingGetter())
        #expect(
            await #expect(throws: SourceError.self) { try await group.get(Key("k")) } == SourceError(text: "no"))
    }

    private struct RefusingGetter: Getter {
        func load(_ flight: consuming Flight) {
            flight.fail(LoadError(.query, "refused", underlyingError: SourceError(text: "no")))
        }
    }

    @Test func `refresh loads what is in memory`() async throws {
        let counter = Counter()
        let group = try Group("g", getter: AsyncGetter { _ in Value(text: Array("\(counter.next())".utf8)) })
        #expect(try await group.get(Key("k")).map { string($0.text) } == "1")
        #expect(try await group.refresh(Key("k")).map { string($0.text) } == "2")
        #expect(try await group.get(Key("k")).map { string($0.text) } == "2")
    }

    @Test func `insertIfAbsent puts a value in only when there is none`() async throws {
        let group = try Group("g", getter: getter)
        #expect(group.insertIfAbsent(Key("k"), Value(text: Array("a".utf8))))
        #expect(!group.insertIfAbsent(Key("k"), Value(text: Array("b".utf8))))
        #expect(try await group.get(Key("k")).map { string($0.text) } == "a")
        #expect(group.checkInvariants() == [])
    }

    @Test func `a cache and its groups that nobody holds any more are gone, and a group's entries with it`() throws {
        let cache = Cache()
        var group: Group? = try Group("g", in: cache, getter: PromptGetter())
        #expect(group?.insertIfAbsent(Key("k"), Value(text: Array("a".utf8))) == true)
        #expect(cache.groups.count == 1)
        #expect(cache.usedBytes > 0)
        weak let gone = group
        group = nil
        #expect(gone == nil)
        #expect(cache.groups.isEmpty)
        #expect(cache.usedBytes == 0)
        // Its name is free again.
        let successor = try Group("g", in: cache, getter: PromptGetter())
        #expect(cache.groups.map(\.name) == [successor.name])
    }

    @Test func `a group keeps its cache, and both go together`() throws {
        var group: Group? = try Group("g", getter: PromptGetter())
        weak let cache = group?.cache
        #expect(cache != nil)
        group = nil
        #expect(cache == nil)
    }

    @Test func `forEach meets each entry and count counts them`() throws {
        let bench = try Bench(getter: PromptGetter())
        for number in 0..<500 { bench.get("k\(number)") }
        var seen: [String: String] = [:]
        bench.group.forEach { key, value in seen[String(decoding: key.bytes, as: UTF8.self)] = string(value.text) }
        #expect(seen.count == 500)
        #expect(seen["k7"] == "value of k7")
        #expect(bench.group.count == 500)
    }

    @Test func `the most accessed keys come first`() throws {
        let bench = try Bench(getter: PromptGetter())
        for round in 0..<3000 {
            bench.get("hot")
            if round.isMultiple(of: 3) { bench.get("warm") }
            bench.get("cold-\(round)")
        }
        let top = bench.group.mostAccessed(2)
        #expect(top.map(\.key) == [Key("hot"), Key("warm")])
        #expect((1500...4500).contains(top.first?.lookups ?? 0))
    }

    @Test func `observers hear of loading, expiry, eviction and invalidation, outside the lock`() throws {
        var settings = GroupSettings()
        settings.memory = 200
        settings.shards = 1
        let bench = try Bench(settings: settings, getter: PromptGetter())
        let heard = Outcomes()
        let observation = bench.group.addObserver { [group = bench.group] event, key in
            // Would hang if a lock were held.
            _ = group.statistics
            let text = "\(event) \(String(decoding: key.bytes, as: UTF8.self))"
            heard.deliver(.success(Value(text: Array(text.utf8))), token: 0)
        }
        bench.get("a")
        bench.invalidate("a")
        bench.get("b")
        bench.clock.advance(.seconds(61))
        bench.cache.sweep(at: bench.clock.now)
        for key in ["c", "d", "e", "f", "h"] { bench.get(key) }
        bench.cache.invalidateAll()
        let events = heard[0]
        #expect(events.prefix(4) == ["loaded a", "invalidated a", "loaded b", "expired b"])
        #expect(events.contains("evicted c"))
        #expect(events.last?.hasPrefix("invalidated ") == true)
        bench.group.removeObserver(observation)
        bench.get("x")
        #expect(heard[0] == events)
    }

    @Test func `an invalidation tells of a key that is gone, as long as another thread is only about to`() throws {
        let bench = try Bench(getter: PromptGetter())
        let heard = Outcomes()
        let observation = bench.group.addObserver { [group = bench.group] event, key in
            let text = "\(event) \(String(decoding: key.bytes, as: UTF8.self))"
            heard.deliver(.success(Value(text: Array(text.utf8))), token: 0)
            // In the middle of what the sweep tells. Of b nothing is to be told.
            if event == .expired {
                for other in [key, Key("b")] { group.invalidate(other) }
            }
        }
        bench.get("a")
        bench.clock.advance(.seconds(61))
        bench.cache.sweep(at: bench.clock.now)
        #expect(heard[0] == ["loaded a", "expired a", "invalidated a"])
        bench.invalidate("a")
        #expect(heard[0].count == 3)
        bench.group.removeObserver(observation)
    }

    @Test func `who comes to observe hears nothing of what happened for one who has gone`() throws {
        var settings = GroupSettings()
        settings.shards = 1
        let bench = try Bench(settings: settings, getter: PromptGetter())
        let (former, heard) = (Outcomes(), Outcomes())
        let observation = observe(bench, former)
        // The one observer goes between an event and the end of its step.
        bench.group.withShard(0) { state in
            state.note(.expired, Key("a"))
            bench.group.removeObserver(observation)
        }
        _ = observe(bench, heard)
        bench.get("b")
        #expect(heard[0] == ["loaded b"])
    }

    /// What an observer hears, each in words.
    private func observe(_ bench: Bench, _ heard: Outcomes) -> Observation {
        bench.group.addObserver(flushed: { heard.deliver(.success(Value(text: Array("flushed".utf8))), token: 0) }) {
            let text = "\($0) \(String(decoding: $1.bytes, as: UTF8.self))"
            heard.deliver(.success(Value(text: Array(text.utf8))), token: 0)
        }
    }

    @Test func `observers hear of each value that went out and is not, or no longer, in memory`() throws {
        let getter = HeldGetter()
        var settings = GroupSettings()
        settings.memory = 4000
        settings.shards = 1
        settings.negativeTimeToLive = .zero
        let bench = try Bench(settings: settings, getter: getter)
        let heard = Outcomes()
        _ = observe(bench, heard)
        var told = 0
        func expect(_ events: String..., at line: Int = #line) {
            #expect(Array(heard[0].dropFirst(told)) == events, "line \(line)")
            told = heard[0].count
        }
        bench.get("a")
        getter.next()?.succeed("one")
        expect("loaded a")
        for text in ["one", "two", "two"] {
            _ = bench.refresh("a", token: 1)
            getter.next()?.succeed(text)
        }
        expect("loaded a", "replaced a", "loaded a", "loaded a")
        _ = bench.refresh("a", token: 1)
        getter.next()?.fail(LoadError(.query, "refused"))
        expect()
        // A load is under way when its key changes.
        _ = bench.refresh("a", token: 1)
        bench.invalidate("a")
        expect("invalidated a")
        getter.next()?.succeed("three")
        expect("unkept a")
        // What was never in memory, and what takes its place.
        bench.get("a")
        getter.next()?.succeed(String(repeating: "x", count: 5000))
        expect("unkept a")
        bench.get("a")
        getter.next()?.succeed("four")
        _ = bench.refresh("a", token: 1)
        getter.next()?.succeed(.missing)
        expect("loaded a", "invalidated a", "unkept a")
        // Longer values are not compared.
        settings.memory = .max
        let large = try Bench(settings: settings, getter: getter)
        _ = observe(large, heard)
        large.get("b")
        getter.next()?.succeed(String(repeating: "x", count: 20_000))
        _ = large.refresh("b", token: 1)
        getter.next()?.succeed(String(repeating: "x", count: 20_000))
        expect("loaded b", "replaced b", "loaded b")
    }

    @Test func `a flush is told once to who wants it once, and else key by key`() throws {
        let bench = try Bench(getter: PromptGetter())
        let (once, each) = (Outcomes(), Outcomes())
        _ = observe(bench, once)
        _ = bench.group.addObserver { event, _ in each.deliver(.success(Value(text: Array("\(event)".utf8))), token: 0)
        }
        for number in 0..<100 { bench.get("k\(number)") }
        bench.group.invalidateAll()
        #expect(once[0].suffix(2) == ["loaded k99", "flushed"])
        #expect(each[0].suffix(101) == ["loaded"] + Array(repeating: "invalidated", count: 100))
    }

    @Test func `a sweep without a time goes by the cache's clock`() throws {
        var settings = GroupSettings()
        settings.timeToLive = .seconds(60)
        let bench = try Bench(settings: settings, getter: PromptGetter())
        bench.get("a")
        bench.cache.sweep()
        #expect(bench.group.statistics.entries == 1)
        bench.clock.advance(.seconds(61))
        bench.cache.sweep()
        #expect(bench.group.statistics.entries == 0)
    }
}

private final class Counter: Sendable {
    private let value = Mutex(0)
    func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }

    @Test(.timeLimit(.minutes(10)))
    func `an entry leaves by itself when its time is over, and its successor after it`() async throws {
        var settings = GroupSettings()
        settings.timeToLive = .milliseconds(20)
        let group = try Group("g", settings: settings, getter: AsyncGetter { _ in Value("v") })
        let (events, continuation) = AsyncStream.makeStream(of: GroupEvent.self)
        let observation = group.addObserver { event, _ in continuation.yield(event) }
        var seen: [GroupEvent] = []
        _ = try await group.get(Key("k"))
        for await event in events {
            seen.append(event)
            if seen == [.loaded, .expired] { _ = try await group.get(Key("k")) }
            if seen.count == 4 { break }
        }
        #expect(seen == [.loaded, .expired, .loaded, .expired])
        #expect(group.count == 0)
        group.removeObserver(observation)
    }

    @Test func `a cache has a bound on bytes unless it is told another`() {
        #expect(Cache().memory == Cache.defaultMemory)
        #expect(Cache(memory: 1000).memory == 1000)
    }

    @Test func `the main cache's figures are those of the group, and the hot cache is empty`() throws {
        let bench = try Bench(memory: 4096, getter: PromptGetter())
        for key in 0..<100 { bench.get("\(key)") }
        for _ in 0..<3 { bench.get("99") }
        let statistics = bench.group.statistics
        let main = statistics.cache(.main)
        #expect(main.gets == 103)
        #expect(main.hits == 3)
        #expect(main.entries == bench.group.count)
        #expect(main.bytes == bench.cache.usedBytes)
        #expect(main.evictions == 100 - main.entries)
        #expect(statistics.cache(.hot) == CacheStatistics())
    }

    @Test func `what is asked under a key needs no clock`() async throws {
        let group = try Group("g", getter: AsyncGetter { _ in Value("v") })
        #expect(!group.touch(Key("k")))
        #expect(group.inspect(Key("k")) == nil)
        _ = try await group.get(Key("k"))
        #expect(group.touch(Key("k")))
        let remaining = try #require(group.inspect(Key("k"))?.remaining)
        #expect(remaining > .zero && remaining <= .seconds(60))
    }

    @Test(.timeLimit(.minutes(10))) func `a key that is reloaded is loaded before anyone asks`() async throws {
        let counter = Counter()
        let group = try Group("g", getter: AsyncGetter { _ in Value("\(counter.next())") })
        let (events, continuation) = AsyncStream.makeStream(of: GroupEvent.self)
        let observation = group.addObserver { event, _ in continuation.yield(event) }
        group.reload(Key("k"))
        #expect(try await group.get(Key("k")).map { String($0) } == "1")
        group.reload(Key("k"))
        var seen: [GroupEvent] = []
        for await event in events {
            seen.append(event)
            if seen.count == 3 { break }
        }
        #expect(seen == [.loaded, .invalidated, .loaded])
        #expect(group.peek(Key("k")).map { String($0) } == "2")
        group.removeObserver(observation)
    }

    @Test func `a driver tells the circuit of silence and answers without a clock`() {
        let breaker = CircuitBreaker(evidence: .reports, threshold: 2)
        breaker.sourceWasSilent(for: .seconds(1))
        breaker.sourceWasSilent(for: .seconds(1))
        #expect(breaker.state == .open)
        breaker.sourceAnswered()
        #expect(breaker.state == .closed)
        // It was silent on one connection while another answered.
        breaker.sourceWasSilent(for: .seconds(10))
        breaker.sourceWasSilent(for: .seconds(10))
        #expect(breaker.state == .closed)
    }
}
