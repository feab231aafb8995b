import Groundwork
import Testing

@testable import CacheCore

struct LoadControlTests {
    private let getter = HeldGetter()

    private func bench(_ change: (inout GroupSettings) -> Void) throws -> Bench {
        var settings = GroupSettings()
        change(&settings)
        return try Bench(settings: settings, getter: getter)
    }

    @Test func `who logs it is told once when a circuit opens, and once when it closes`() {
        let states = Groundwork.Mutex<[CircuitBreaker.State]>([])
        let breaker = CircuitBreaker(evidence: .reports, threshold: 2) { state in states.withLock { $0.append(state) } }
        func silence(at seconds: Int64) {
            let now = Instant(nanoseconds: seconds * 1_000_000_000)
            breaker.sourceWasSilent(since: now, at: now)
        }
        silence(at: 100)
        #expect(states.withLock { $0 } == [])
        for second in 101...105 { silence(at: Int64(second)) }
        #expect(states.withLock { $0 } == [.open])
        for second in 106...107 { breaker.sourceAnswered(at: Instant(nanoseconds: Int64(second) * 1_000_000_000)) }
        #expect(states.withLock { $0 } == [.open, .closed])
    }

    @Test func `no more loads run at once than max_loads, and the others start in turn`() throws {
        let bench = try bench { $0.maxLoads = 2 }
        for number in 0..<5 { bench.get("k\(number)", token: UInt64(number)) }
        #expect(getter.held == ["k0", "k1"])
        getter.next()?.succeed("v")
        #expect(getter.held == ["k1", "k2"])
        getter.next()?.fail(LoadError(.query, "refused"))
        #expect(getter.held == ["k2", "k3"])
        while let flight = getter.next() { flight.succeed("v") }
        for number in [0, 2, 3, 4] { #expect(bench.outcomes[UInt64(number)] == ["v"]) }
        #expect(bench.outcomes[1] == ["error: refused"])
    }

    @Test func `beyond max_queued_loads a caller gets an error at once`() throws {
        let bench = try bench {
            $0.maxLoads = 1
            $0.maxQueuedLoads = 1
        }
        for number in 0..<3 { bench.get("k\(number)", token: UInt64(number)) }
        #expect(bench.outcomes[2] == ["error: g: too many loads are under way or waiting; try again later"])
        #expect(bench.outcomes[0].isEmpty && bench.outcomes[1].isEmpty)
    }

    @Test func `who asks again as soon as he is told finds the room that the load leaves`() throws {
        let bench = try bench {
            $0.maxLoads = 1
            $0.maxQueuedLoads = 0
        }
        let sink = AskingSink {
            bench.get("next", token: 1)
        }
        var copy = [UInt8](repeating: 0, count: Group.copyLimit)
        copy.withUnsafeMutableBytes { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            let waiter = Waiter(sink, token: 0, deadline: bench.clock.now + .seconds(2))
            let lookup = bench.group.lookup(
                Array("first".utf8).span.bytes, .text, at: bench.clock.now, waiter: waiter, into: &output)
            if case .leads(let flight, _) = consume lookup { bench.group.load(flight) }
        }
        getter.next()?.succeed("v")
        #expect(getter.held == ["next"])
        #expect(bench.outcomes[1].isEmpty)
    }

    @Test func `loads that end together leave room for as many others, which start when all of them have ended`() throws
    {
        let bench = try bench { $0.maxLoads = 2 }
        for number in 0..<5 { bench.get("k\(number)", token: UInt64(number)) }
        end(2, of: bench) { #expect(getter.held.isEmpty) }
        #expect(getter.held == ["k2", "k3"])
        end(1, of: bench) { #expect(getter.held == ["k3"]) }
        #expect(getter.held == ["k3", "k4"])
        end(2, of: bench) {}
        for number in 0..<5 { #expect(bench.outcomes[UInt64(number)] == ["v"]) }
        for number in 5..<8 { bench.get("k\(number)", token: UInt64(number)) }
        #expect(getter.held == ["k5", "k6"])
    }

    private func end(_ count: Int, of bench: Bench, then check: () -> Void) {
        let common = CommonEnd(of: bench.group, count: count)
        for _ in 0..<count { getter.next()?.end("v", with: common) }
        check()
    }

    @Test func `beyond the bounds a stale value is served if there is one`() throws {
        let bench = try bench {
            $0.maxLoads = 1
            $0.maxQueuedLoads = 0
            $0.staleIfError = .seconds(600)
        }
        bench.get("k")
        getter.next()?.succeed("v")
        bench.clock.advance(.seconds(61))
        bench.get("other")
        bench.get("k", token: 1)
        #expect(bench.outcomes[1] == ["v"])
    }

    @Test func `a queued load that nobody waits for any more is dropped`() throws {
        let bench = try bench { $0.maxLoads = 1 }
        bench.get("a", token: 1)
        bench.get("b", token: 2, deadline: .seconds(1))
        bench.get("c", token: 3, deadline: .seconds(9))
        bench.clock.advance(.seconds(2))
        getter.next()?.succeed("v")
        #expect(getter.held == ["c"])
        getter.next()?.succeed("v")
        bench.get("d", token: 4)
        #expect(getter.held == ["d"])
    }

    @Test func `ten thousand queued loads that fail at once do not overflow the stack`() throws {
        let failing = FailingGetter()
        var settings = GroupSettings()
        settings.maxLoads = 1
        let bench = try Bench(settings: settings, getter: failing)
        for number in 0..<10_000 { bench.get("k\(number)", token: UInt64(number)) }
        #expect(bench.outcomes.count == 0)
        failing.release()
        #expect(bench.outcomes.count == 10_000)
    }

    // MARK: The circuit

    private func load(_ group: Group, _ bench: (clock: MovedClock, outcomes: Outcomes), _ key: String, _ token: UInt64)
    {
        var bytes = [UInt8](repeating: 0, count: 64)
        bytes.withUnsafeMutableBytes { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            let waiter = Waiter(bench.outcomes, token: token, deadline: bench.clock.now + .seconds(9))
            let now = bench.clock.now
            switch group.lookup(Array(key.utf8).span.bytes, .text, at: now, waiter: waiter, into: &output) {
            case .hit: break
            case .refreshes: break
            case .follows: break
            case .refused: break
            case .leads(let flight, _): group.load(flight)
            }
        }
    }

    @Test func `after failures in a row the circuit opens, lets one probe through at a time, and closes on success`()
        throws
    {
        let clock = MovedClock()
        let outcomes = Outcomes()
        let breaker = CircuitBreaker(threshold: 3, firstPause: .seconds(1), longestPause: .seconds(4))
        let cache = Cache { clock.now }
        let group = try Group("g", in: cache, breaker: breaker, getter: getter)
        let bench = (clock, outcomes)
        for number in 0..<3 {
            load(group, bench, "k\(number)", 0)
            getter.next()?.fail(LoadError(.unavailable, "down"))
        }
        #expect(breaker.state == .open)
        load(group, bench, "a", 1)
        #expect(getter.held.isEmpty)
        #expect(outcomes[1] == ["error: g: the database does not answer; it is being probed"])
        clock.advance(.seconds(1))
        load(group, bench, "b", 2)
        load(group, bench, "c", 3)
        #expect(getter.held == ["b"])
        #expect(breaker.state == .probing)
        getter.next()?.fail(LoadError(.unavailable, "still down"))
        clock.advance(.seconds(1))
        load(group, bench, "d", 4)
        #expect(getter.held.isEmpty, "the second pause is twice as long")
        clock.advance(.seconds(1))
        load(group, bench, "e", 5)
        getter.next()?.succeed("v")
        #expect(breaker.state == .closed)
        load(group, bench, "f", 6)
        load(group, bench, "h", 7)
        #expect(getter.held == ["f", "h"])
    }

    @Test func `only silence opens the circuit: not refusals, timeouts, bad keys, nor what never was sent`() {
        let breaker = CircuitBreaker(threshold: 1)
        let start = Instant(nanoseconds: 0)
        for code in LoadError.Code.allCases where code != .unavailable {
            breaker.record(.failure(LoadError(code, "")), startedAt: start, at: start)
            #expect(breaker.state == .closed)
        }
        breaker.record(.failure(LoadError(.unavailable, "")), startedAt: start, at: start)
        #expect(breaker.state == .open)
    }

    @Test func `a probe that was dropped makes the next load the probe`() {
        let breaker = CircuitBreaker(threshold: 1, firstPause: .seconds(1))
        var now = Instant(nanoseconds: 0)
        breaker.record(.failure(LoadError(.unavailable, "")), startedAt: now, at: now)
        now = now + .seconds(1)
        #expect(breaker.admits(at: now))
        #expect(!breaker.admits(at: now))
        breaker.record(.failure(LoadError(.abandoned, "")), startedAt: now, at: now)
        #expect(breaker.admits(at: now))
    }

    @Test(arguments: [LoadError.Code.badKey, .timedOut, .busy, .abandoned])
    func `a probe that never reached the source does not close the circuit`(code: LoadError.Code) {
        let breaker = CircuitBreaker(threshold: 1, firstPause: .seconds(1))
        var now = Instant(nanoseconds: 0)
        breaker.record(.failure(LoadError(.unavailable, "")), startedAt: now, at: now)
        now = now + .seconds(1)
        #expect(breaker.admits(at: now))
        breaker.record(.failure(LoadError(code, "")), startedAt: now, at: now)
        #expect(breaker.state == .open)
    }

    @Test(arguments: [LoadError.Code.unavailable, .abandoned])
    func `loads from before the circuit opened that fail during a probe don't start a second one`(
        code: LoadError.Code
    ) {
        let breaker = CircuitBreaker(threshold: 1, firstPause: .seconds(1))
        let start = Instant(nanoseconds: 0)
        breaker.record(.failure(LoadError(.unavailable, "")), startedAt: start, at: start)
        let probed = start + .seconds(1)
        #expect(breaker.admits(at: probed))
        breaker.record(.failure(LoadError(code, "")), startedAt: start, at: probed)
        #expect(breaker.state == .probing)
        #expect(!breaker.admits(at: probed + .seconds(5)))
        breaker.record(.failure(LoadError(.unavailable, "")), startedAt: probed, at: probed + .seconds(2))
        #expect(breaker.state == .open)
        #expect(!breaker.admits(at: probed + .seconds(3)))
        #expect(breaker.admits(at: probed + .seconds(4)))
    }

    // MARK: The circuit of a getter that reports

    @Test func `where the driver reports, no failed load counts, however many a lost connection fails`() {
        let breaker = CircuitBreaker(evidence: .reports, threshold: 2)
        let start = Instant(nanoseconds: 0)
        for code in LoadError.Code.allCases {
            for _ in 0..<100 { breaker.record(.failure(LoadError(code, "")), startedAt: start, at: start) }
        }
        #expect(breaker.state == .closed)
        breaker.sourceWasSilent(since: start, at: start + .seconds(1))
        #expect(breaker.state == .closed)
        breaker.sourceWasSilent(since: start, at: start + .seconds(1))
        #expect(breaker.state == .open)
    }

    @Test func `silence of one connection is no evidence when another one was answered meanwhile`() {
        let breaker = CircuitBreaker(evidence: .reports, threshold: 1)
        let start = Instant(nanoseconds: 0)
        breaker.sourceAnswered(at: start + .seconds(1))
        breaker.sourceWasSilent(since: start, at: start + .seconds(2))
        #expect(breaker.state == .closed)
        breaker.sourceWasSilent(since: start + .seconds(2), at: start + .seconds(4))
        #expect(breaker.state == .open)
    }

    @Test func `a new connection that answers closes the circuit at once`() {
        let breaker = CircuitBreaker(evidence: .reports, threshold: 1, firstPause: .seconds(5))
        let start = Instant(nanoseconds: 0)
        breaker.sourceWasSilent(since: start, at: start + .seconds(2))
        #expect(!breaker.admits(at: start + .seconds(3)))
        breaker.sourceAnswered(at: start + .seconds(3))
        #expect(breaker.state == .closed)
        #expect(breaker.admits(at: start + .seconds(3)))
    }

    @Test func `one failure and one answer by turns never open it`() {
        let breaker = CircuitBreaker(evidence: .reports, threshold: 2)
        for second in 0..<100 {
            let now = Instant(nanoseconds: 0) + .seconds(second)
            breaker.sourceWasSilent(since: now, at: now)
            breaker.sourceAnswered(at: now + .milliseconds(500))
        }
        #expect(breaker.state == .closed)
    }
}

/// Holds its first flight; fails that and all others at once when released.
private final class FailingGetter: Getter {
    private let first = Mutex<FlightBox?>(nil)
    private let isReleased = Mutex<Bool>(false)

    func load(_ flight: consuming Flight) {
        let box = FlightBox(flight)
        if isReleased.withLock({ $0 }) {
            box.fail(LoadError(.unavailable, "down"))
        } else {
            first.withLock { $0 = box }
        }
    }

    func release() {
        isReleased.withLock { $0 = true }
        first.withLock { box in
            defer { box = nil }
            return box
        }?.fail(LoadError(.unavailable, "down"))
    }
}

/// Does something when it is told.
private final class AskingSink: OutcomeSink {
    private let ask: @Sendable () -> Void

    init(_ ask: @escaping @Sendable () -> Void) {
        self.ask = ask
    }

    func deliver(_ outcome: Outcome, token: UInt64) { ask() }
}
