import CacheCore
import Groundwork
import Testing

@testable import TypedCache

/// What a cache of a few keys should do, as plainly as it can be said.
private struct Model {
    struct Flight {
        let key: Int
        var callers: Set<Int> = []
        var isFenced = false
    }

    var memory: [Int: (value: Int?, end: Int)] = [:]
    /// By number, in the order of their start.
    var flights: [Int: Flight] = [:]
    var now = 0
    var started = 0

    func served(_ key: Int) -> Int?? {
        guard let entry = memory[key], now < entry.end else { return nil }
        return .some(entry.value)
    }

    func openFlight(of key: Int) -> Int? { flights.first { $0.value.key == key && !$0.value.isFenced }?.key }

    func callerCount(of key: Int) -> Int { openFlight(of: key).flatMap { flights[$0]?.callers.count } ?? 0 }

    mutating func join(_ caller: Int, _ key: Int) {
        if let number = openFlight(of: key) {
            flights[number]?.callers.insert(caller)
        } else {
            started += 1
            flights[started] = Flight(key: key, callers: [caller])
        }
    }

    mutating func fence(_ key: Int) {
        if let number = openFlight(of: key) { flights[number]?.isFenced = true }
    }

    mutating func store(_ key: Int, _ value: Int?) { memory[key] = (value, now + (value == nil ? 5 : 60)) }
}

@Suite(.timeLimit(.minutes(10)))
struct ScheduleTests {
    @Test(arguments: 1...6)
    func `lookups, landings, cancellations, changes and time in random order agree with a model`(seed: UInt64)
        async throws
    {
        var random = SplitMix64(seed: seed)
        let clock = MovedClock()
        let source = NumberedSource()
        var settings = CacheSettings()
        settings.shards = 2
        let cache = LoadingCache<Int, Int>(settings: settings, clock: clock) { _ in try await source.load() }
        var model = Model()
        var callers: [Int: Task<String, Never>] = [:]
        for step in 0..<800 {
            let key = Int.random(in: 0..<4, using: &random)
            switch Int.random(in: 0..<16, using: &random) {
            case 0..<6:
                let task = Task { await words { try await cache.get(key).map(String.init) } }
                if let value = model.served(key) {
                    #expect(await task.value == value.map(String.init) ?? "none")
                } else {
                    model.join(step, key)
                    callers[step] = task
                    let (count, started) = (model.callerCount(of: key), model.started)
                    try await eventually { cache.callerCount(of: key) == count && source.started == started }
                }
            case 6..<10:
                guard let number = model.flights.keys.sorted().randomElement(using: &random),
                    let flight = model.flights.removeValue(forKey: number)
                else { continue }
                let landed = cache.statistics.localLoads + cache.statistics.loadErrors
                let words: String
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    source.end(number, .failure(SourceError(text: "\(step)")))
                    words = "error: \(step)"
                case 1:
                    source.end(number, .success(nil))
                    words = "none"
                    if !flight.isFenced { model.store(flight.key, nil) }
                default:
                    source.end(number, .success(step))
                    words = "\(step)"
                    if !flight.isFenced { model.store(flight.key, step) }
                }
                for caller in flight.callers { #expect(await callers.removeValue(forKey: caller)?.value == words) }
                // A flight that had no callers lands unheard.
                try await eventually { cache.statistics.localLoads + cache.statistics.loadErrors == landed + 1 }
            case 10:
                guard let caller = callers.keys.sorted().randomElement(using: &random) else { continue }
                let task = callers.removeValue(forKey: caller)
                task?.cancel()
                #expect(await task?.value == "cancelled")
                for number in model.flights.keys { model.flights[number]?.callers.remove(caller) }
            case 11:
                let former = model.served(key) ?? nil
                #expect(cache.insert(step, for: key) == former)
                model.fence(key)
                model.store(key, step)
            case 12:
                let isAbsent = (model.served(key) ?? nil) == nil
                #expect(cache.insertIfAbsent(step, for: key) == isAbsent)
                if isAbsent {
                    model.fence(key)
                    model.store(key, step)
                }
            case 13:
                #expect(cache.remove(key) == model.served(key) ?? nil)
                model.fence(key)
                model.memory[key] = nil
            case 14 where Int.random(in: 0..<4, using: &random) == 0:
                cache.removeAll()
                for key in 0..<4 { model.fence(key) }
                model.memory = [:]
            default:
                let seconds = Int.random(in: 1..<10, using: &random)
                clock.advance(.seconds(seconds))
                model.now += seconds
            }
            for key in 0..<4 {
                #expect(cache.peek(key) == model.served(key) ?? nil)
                #expect(cache.callerCount(of: key) == model.callerCount(of: key))
            }
            #expect(cache.invariantViolations() == [])
        }
        for number in model.flights.keys { source.end(number, .success(0)) }
        for task in callers.values { _ = await task.value }
    }

    @Test func `no lookup that begins after a removal gets an older value, whoever loads, lands and removes meanwhile`()
        async throws
    {
        let versions = (0..<4).map { _ in Version() }
        let cache = LoadingCache<Int, Int> { key in
            let version = versions[key].current
            await Task.yield()
            return version
        }
        await withTaskGroup(of: Void.self) { tasks in
            for seed in 1...8 {
                tasks.addTask {
                    var random = SplitMix64(seed: UInt64(seed))
                    for _ in 0..<1500 {
                        let key = Int.random(in: 0..<4, using: &random)
                        if Int.random(in: 0..<5, using: &random) == 0 {
                            let version = versions[key].advance()
                            cache.remove(key)
                            versions[key].announce(version)
                        } else {
                            let least = versions[key].announced
                            let value = await words { try await cache.get(key).map(String.init) }
                            #expect((Int(value) ?? -1) >= least)
                        }
                    }
                }
            }
        }
        #expect(cache.invariantViolations() == [])
    }

    @Test func `tasks that do everything at once leave it whole and within its bound`() async throws {
        var settings = CacheSettings()
        settings.capacity = 50
        settings.shards = 4
        settings.timeToLive = .milliseconds(5)
        settings.refreshAfter = .milliseconds(2)
        settings.maxLoads = 3
        let cache = LoadingCache<Int, Int>(settings: settings) { key in
            await Task.yield()
            return key.isMultiple(of: 7) ? nil : key
        }
        let balance = Count()
        let observation = cache.observe { event in
            switch event {
            case .added: balance.add(1)
            case .removed: balance.add(-1)
            }
        }
        await withTaskGroup(of: Void.self) { tasks in
            for seed in 1...8 {
                tasks.addTask {
                    var random = SplitMix64(seed: UInt64(seed))
                    for _ in 0..<1000 {
                        let key = Int.random(in: 0..<100, using: &random)
                        switch Int.random(in: 0..<12, using: &random) {
                        case 0: cache.insert(key, for: key)
                        case 1: cache.remove(key)
                        case 2: cache.touch(key)
                        case 3:
                            let call = Task { await words { try await cache.get(key).map(String.init) } }
                            call.cancel()
                            #expect(["\(key)", "none", "cancelled"].contains(await call.value))
                        case 4: #expect(cache.insertIfAbsent(key, for: key) || cache.count > 0)
                        default:
                            let value = await words { try await cache.get(key).map(String.init) }
                            #expect(["\(key)", "none"].contains(value))
                        }
                    }
                }
            }
        }
        // Loads that nobody waits for may still be on their way; then time takes the rest.
        try await eventually { cache.count == 0 }
        try await eventually { balance.value == 0 }
        #expect(cache.invariantViolations() == [])
        cache.removeObserver(observation)
    }

    // MARK: Deallocation

    @Test func `a cache that nobody holds any more is gone with its values, whatever is under way`() async throws {
        let clock = MovedClock()
        let getter = HeldGetter<Int, Thing>()
        let gone = Count()
        weak var weakCache: LoadingCache<Int, Thing>?
        do {
            var settings = CacheSettings()
            settings.refreshAfter = .seconds(1)
            settings.loadTimeout = .seconds(30)
            let cache = LoadingCache<Int, Thing>(settings: settings, clock: clock) { try await getter.load($0) }
            weakCache = cache
            for number in 0..<10 { cache.insert(Thing(gone), for: number) }
            clock.advance(.seconds(1))
            // A refresh that nobody waits for.
            _ = try await cache.get(3)
            let caller = try await cache.caller(of: 11)
            caller.cancel()
            await #expect(throws: CancellationError.self) { try await caller.value }
            cache.remove(4)
            #expect(gone.value == 1)
        }
        try await eventually { gone.value == 10 }
        #expect(weakCache == nil)
        try await eventually { clock.sleeperCount == 0 }
        try await getter.end(3, .success(nil))
        try await getter.end(11, .success(nil))
    }

    @Test func `values may use the cache as they go`() async throws {
        let cache = LoadingCache<Int, Thing> { _ in nil }
        let gone = Count()
        for number in 0..<5 {
            cache.insert(Thing(gone) { [weak cache] in _ = cache?.statistics }, for: number)
        }
        // Each would hang if it went under the lock.
        cache.remove(0)
        cache.insert(Thing(gone), for: 1)
        cache.removeAll()
        #expect(gone.value == 6)
    }
}

/// A value that tells when it goes.
private final class Thing: Sendable {
    private let count: Count
    private let onEnd: @Sendable () -> Void

    init(_ count: Count, _ onEnd: @escaping @Sendable () -> Void = {}) {
        self.count = count
        self.onEnd = onEnd
    }

    deinit {
        onEnd()
        count.add(1)
    }
}

/// A row that is changed: its version is announced when the cache has been told.
private final class Version: Sendable {
    private let state = Mutex((current: 0, announced: 0))

    var current: Int { state.withLock { $0.current } }
    var announced: Int { state.withLock { $0.announced } }

    func advance() -> Int {
        state.withLock { state in
            state.current += 1
            return state.current
        }
    }

    func announce(_ version: Int) { state.withLock { $0.announced = max($0.announced, version) } }
}

/// A source whose loads are numbered in the order of their start and end in any order.
private final class NumberedSource: Sendable {
    private struct State {
        var started = 0
        var held: [Int: CheckedContinuation<Int?, any Error>] = [:]
    }

    private let state = Mutex(State())

    var started: Int { state.withLock { $0.started } }

    func load() async throws -> Int? {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                state.started += 1
                state.held[state.started] = continuation
            }
        }
    }

    func end(_ number: Int, _ outcome: Result<Int?, any Error>) {
        state.withLock { $0.held.removeValue(forKey: number) }?.resume(with: outcome)
    }
}

private final class Count: Sendable {
    private let number = Mutex(0)

    var value: Int { number.withLock { $0 } }
    func add(_ step: Int) { number.withLock { $0 += step } }
}
