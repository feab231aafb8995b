import Groundwork
import Testing

@testable import CacheCore

/// What a group should do with a few keys, as plainly as it can be said. Times are in half seconds: the clock stands at
/// even ones, rules say odd ones, so that the steps in which the group counts time don't matter.
private struct Model {
    struct Rules {
        var life = 21
        var negativeLife = 7
        var refreshAge: Int?
        var stale = 0
        var maxLoads = 3

        var settings: GroupSettings {
            func duration(_ halves: Int) -> Duration { .milliseconds(500 * halves) }
            var settings = GroupSettings()
            settings.timeToLive = duration(life)
            settings.negativeTimeToLive = duration(negativeLife)
            settings.refreshAfter = refreshAge.map(duration)
            settings.staleIfError = duration(stale)
            settings.maxLoads = maxLoads
            settings.loadTimeout = .seconds(1_000_000)
            return settings
        }
    }

    struct Entry {
        /// Nil: there is no such row.
        var text: String?
        var staleAt: Int
        var refreshAt: Int
        var leavesAt: Int
        var isRefreshing = false
    }

    struct Flight {
        let key: String
        /// Whether it began for nobody who waits.
        let isUnprompted: Bool
        var waiters: [UInt64] = []
        var isForgotten = false

        var isWanted: Bool { !waiters.isEmpty || (isUnprompted && !isForgotten) }
    }

    let rules: Rules
    var now = 0
    var entries: [String: Entry] = [:]
    /// By number, in the order of their start.
    var flights: [Int: Flight] = [:]
    /// The flight of each key that newcomers join.
    var open: [String: Int] = [:]
    var lastFlight = 0
    /// Those that the getter has, and those that wait for their turn.
    var active: [Int] = []
    var queue: [Int] = []
    /// What each waiter was told.
    var told: [UInt64: String] = [:]
    var isStoring = true

    init(_ rules: Rules) { self.rules = rules }

    var waiting: [UInt64] { flights.values.flatMap(\.waiters).sorted() }

    // MARK: Asking

    mutating func peek(_ key: String) -> String? {
        if let entry = entries[key], entry.leavesAt <= now { entries[key] = nil }
        guard let entry = entries[key], now < entry.staleAt else { return nil }
        return entry.text ?? "negative"
    }

    mutating func get(_ key: String, _ token: UInt64) -> String {
        guard let answer = peek(key), let entry = entries[key] else { return join(key, token) }
        guard !entry.isRefreshing, now >= entry.refreshAt else { return answer }
        entries[key]?.isRefreshing = true
        guard open[key] == nil else { return answer }
        start(Flight(key: key, isUnprompted: true))
        return answer + " (refreshes)"
    }

    mutating func join(_ key: String, _ token: UInt64) -> String {
        if let number = open[key] {
            flights[number]?.waiters.append(token)
            return "follows"
        }
        start(Flight(key: key, isUnprompted: false, waiters: [token]))
        return "leads"
    }

    mutating func leave(_ token: UInt64) {
        for number in flights.keys { flights[number]?.waiters.removeAll { $0 == token } }
    }

    // MARK: Loading

    private mutating func start(_ flight: Flight) {
        lastFlight += 1
        flights[lastFlight] = flight
        open[flight.key] = lastFlight
        queue.append(lastFlight)
        pump()
    }

    private mutating func pump() {
        while active.count < rules.maxLoads, !queue.isEmpty {
            let number = queue.removeFirst()
            if flights[number]?.isWanted ?? false { active.append(number) } else { fail(number, "nobody hears it") }
        }
    }

    private mutating func end(_ number: Int) -> Flight? {
        guard let flight = flights.removeValue(forKey: number) else { return nil }
        if open[flight.key] == number { open[flight.key] = nil }
        return flight
    }

    mutating func land(at position: Int, _ outcome: Result<String?, LoadError>, isTransient: Bool) {
        let number = active.remove(at: position)
        switch outcome {
        case .success(let text): succeed(number, text, isTransient: isTransient)
        case .failure(let error): fail(number, "error: \(error.message)")
        }
        pump()
    }

    private mutating func succeed(_ number: Int, _ text: String?, isTransient: Bool) {
        guard let flight = end(number) else { return }
        for waiter in flight.waiters { told[waiter] = text ?? "missing" }
        guard !flight.isForgotten else { return }
        entries[flight.key] = nil
        if isStoring, !isTransient { store(flight.key, text) }
    }

    private mutating func store(_ key: String, _ text: String?) {
        entries[key] = nil
        if let text {
            let staleAt = now + rules.life
            entries[key] = Entry(
                text: text, staleAt: staleAt, refreshAt: rules.refreshAge.map { now + $0 } ?? staleAt,
                leavesAt: staleAt + rules.stale)
        } else if rules.negativeLife > 0 {
            let end = now + rules.negativeLife
            entries[key] = Entry(text: nil, staleAt: end, refreshAt: end, leavesAt: end)
        }
    }

    private mutating func fail(_ number: Int, _ text: String) {
        guard let flight = end(number) else { return }
        var answer = text
        if !flight.isForgotten {
            _ = peek(flight.key)
            if let entry = entries[flight.key] {
                if rules.stale > 0 { answer = entry.text ?? "missing" }
                if entry.isRefreshing { entries[flight.key]?.refreshAt = now + 2 }
                entries[flight.key]?.isRefreshing = false
            }
        }
        for waiter in flight.waiters { told[waiter] = answer }
    }

    // MARK: Inserting and invalidating

    mutating func insert(_ key: String, _ text: String?) -> Bool {
        guard isStoring, peek(key) == nil, text != nil || rules.negativeLife > 0 else { return false }
        store(key, text)
        fence(key)
        return true
    }

    private mutating func fence(_ key: String) {
        if let number = open.removeValue(forKey: key) { flights[number]?.isForgotten = true }
    }

    mutating func invalidate(_ key: String) {
        entries[key] = nil
        fence(key)
    }

    /// Returns whether a flight brings it back.
    mutating func reload(_ key: String) -> Bool {
        let isOnItsWay = open[key].flatMap { flights[$0] }?.isUnprompted ?? false
        let isReloaded = (peek(key) != nil || isOnItsWay) && isStoring
        invalidate(key)
        if isReloaded { start(Flight(key: key, isUnprompted: true)) }
        return isReloaded
    }

    mutating func invalidateAll(isStoring: Bool? = nil) {
        if let isStoring { self.isStoring = isStoring }
        entries = [:]
        for number in open.values { flights[number]?.isForgotten = true }
        open = [:]
    }
}

struct ScheduleTests {
    private static let rules = [
        Model.Rules(), Model.Rules(refreshAge: 11), Model.Rules(stale: 10), Model.Rules(refreshAge: 11, stale: 10),
        Model.Rules(negativeLife: 0, refreshAge: 11, stale: 10, maxLoads: 1),
    ]
    private static let keys = ["a", "b", "c", "d", "e"]

    @Test(arguments: rules.indices, UInt64(1)...4)
    func
        `lookups, landings, failures, inserts, invalidations, reloads, suspensions and time in random order agree with a model`(
            rules number: Int, seed: UInt64
        ) throws
    {
        let rules = Self.rules[number]
        let getter = HeldGetter()
        let bench = try Bench(settings: rules.settings, getter: getter)
        var model = Model(rules)
        var random = SplitMix64(seed: seed)
        var tickets: [UInt64: Ticket] = [:]
        for token in 1...4000 as ClosedRange<UInt64> {
            let key = Self.keys[Int.random(in: 0..<Self.keys.count, using: &random)]
            switch Int.random(in: 0..<25, using: &random) {
            case 0..<8:
                let (answer, ticket) = bench.lookup(key, token: token, deadline: .seconds(1_000_000))
                tickets[token] = ticket
                try #require(answer == model.get(key, token), "step \(token)")
            case 8:
                try #require(
                    bench.refresh(key, token: token, deadline: .seconds(1_000_000)) == model.join(key, token),
                    "step \(token)")
            case 9..<15:
                guard let position = model.active.indices.randomElement(using: &random) else { continue }
                let outcome = outcome(Int.random(in: 0..<4, using: &random), token)
                let isTransient = Int.random(in: 0..<5, using: &random) == 0
                model.land(at: position, outcome, isTransient: isTransient)
                getter.take(position)?.end(
                    outcome.map {
                        let value = $0.map { Value(text: Array($0.utf8)) } ?? .missing
                        return isTransient ? value.transient() : value
                    })
            case 15, 16:
                bench.clock.advance(.seconds(1))
                model.now += 2
            case 17:
                let seconds = Int.random(in: 0..<20, using: &random)
                bench.clock.advance(.seconds(seconds))
                model.now += 2 * seconds
                bench.cache.sweep(at: bench.clock.now)
            case 18:
                bench.invalidate(key)
                model.invalidate(key)
            case 20, 21:
                let text = token.isMultiple(of: 4) ? nil : "put in at \(token)"
                try #require(bench.insertIfAbsent(key, text) == model.insert(key, text), "step \(token)")
            case 22, 23: try #require(bench.reload(key) == model.reload(key), "step \(token)")
            case 24 where Int.random(in: 0..<4, using: &random) == 0:
                if model.isStoring { bench.group.suspendStoring() } else { bench.group.resumeStoring() }
                model.invalidateAll(isStoring: !model.isStoring)
            default:
                if Int.random(in: 0..<10, using: &random) == 0 {
                    bench.group.invalidateAll()
                    model.invalidateAll()
                } else if let leaving = model.waiting.randomElement(using: &random), let ticket = tickets[leaving] {
                    bench.group.leave(ticket)
                    model.leave(leaving)
                }
            }
            // What comes after the first difference says nothing.
            try #require(getter.held == model.active.map { model.flights[$0]?.key }, "step \(token)")
            for key in Self.keys { try #require(bench.peek(key) == model.peek(key), "step \(token)") }
        }
        #expect(bench.group.checkInvariants() == [])
        #expect(bench.outcomes.count == model.told.count)
        for (token, text) in model.told { try #require(bench.outcomes[token] == [text], "step \(token)") }
    }

    /// What a load brings: often a value that no other brings.
    private func outcome(_ number: Int, _ step: UInt64) -> Result<String?, LoadError> {
        switch number {
        case 0: .failure(LoadError(.unavailable, "down at \(step)"))
        case 1: .success(nil)
        default: .success("value of \(step)")
        }
    }
}
