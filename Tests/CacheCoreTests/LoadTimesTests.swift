import Groundwork
import Testing

@testable import CacheCore

struct LoadTimesTests {
    private let getter = HeldGetter()

    // MARK: Steps

    @Test func `a load counts in the step of its time, the bound included`() {
        var times = LoadTimes()
        for nanoseconds in [-1, 0, 50_000, 50_001, 10_000_000_000, 10_000_000_001, .max] as [Int64] {
            times.record(nanoseconds)
        }
        #expect(times.counts == [3, 1] + Array(repeating: 0, count: 14) + [1, 2])
        #expect(times.count == 7)
        #expect(LoadTimes.bounds == LoadTimes.bounds.sorted() && LoadTimes.bounds.count + 1 == times.counts.count)
    }

    @Test func `a quantile lies in the step where that share of the loads ends`() {
        var times = LoadTimes()
        #expect(times.quantile(0.5) == nil)
        for _ in 0..<90 { times.record(150_000) }
        for _ in 0..<10 { times.record(1_500_000) }
        #expect((100_001...200_000).contains(times.quantile(0.5) ?? 0))
        #expect(times.quantile(0.9) == 200_000)
        #expect((1_000_001...2_000_000).contains(times.quantile(0.99) ?? 0))
        times.record(.max)
        #expect(times.quantile(1) == 10_000_000_000)
    }

    @Test func `a group counts what its loads took past the gate, failed ones too and refused ones not`() throws {
        var settings = GroupSettings()
        settings.maxLoads = 1
        settings.maxQueuedLoads = 1
        let bench = try Bench(settings: settings, getter: getter)
        for key in ["a", "b", "refused"] { bench.get(key) }
        #expect(bench.group.loadsUnderWay == (1, 1))
        bench.clock.advance(.milliseconds(3))
        getter.next()?.succeed("v")
        bench.clock.advance(.milliseconds(15))
        getter.next()?.fail(LoadError(.query, "no"))
        #expect(bench.group.loadsUnderWay == (0, 0))
        #expect(bench.group.loadTimes.count == 2)
        #expect(bench.group.loadTimes.total == 18_000_000)
        #expect(bench.group.loadTimes.counts[6] == 1 && bench.group.loadTimes.counts[8] == 1)
    }

    // MARK: Slow ones

    /// A group whose loads are noted when they take ten milliseconds or more.
    private func slowBench(
        _ change: (inout SlowLoads.Settings) -> Void = { _ in }
    ) throws -> (clock: MovedClock, log: SlowLoads, group: Group) {
        var settings = SlowLoads.Settings()
        settings.longerThan = .milliseconds(10)
        change(&settings)
        let (clock, log) = (MovedClock(), SlowLoads(settings))
        var rules = GroupSettings()
        rules.maxLoads = 1
        let cache = Cache(slowLoads: log) { clock.now }
        return (clock, log, try Group("g", settings: rules, in: cache, getter: getter))
    }

    private func load(_ key: String, in group: Group) {
        let waiter = Waiter(Outcomes(), token: 0, deadline: Instant(nanoseconds: .max))
        guard case .leads(let flight, _) = group.refresh(Array(key.utf8).span.bytes, waiter: waiter) else { return }
        group.load(flight)
    }

    @Test func `a slow load is noted with what it waited for`() throws {
        let (clock, log, group) = try slowBench()
        load("first", in: group)
        load("second", in: group)
        clock.advance(.milliseconds(9))
        getter.next()?.succeed("v")
        #expect(log.count == 0)
        clock.advance(.milliseconds(20))
        getter.next()?.fail(LoadError(.query, "no"))
        let slow = try #require(log.last(10).first)
        #expect(slow.group == "g" && slow.key == Array("second".utf8) && slow.error == .query)
        #expect(slow.total == 29_000_000 && slow.queue == 9_000_000)
        // This getter does not tell when it asked its source.
        #expect(slow.connection == 20_000_000 && slow.database == 0)
        #expect(log.count == 1)
    }

    @Test func `a getter that tells when it asked parts the wait for it from the wait for the answer`() throws {
        let (clock, log, group) = try slowBench()
        load("k", in: group)
        clock.advance(.milliseconds(4))
        let flight = try #require(getter.next())
        flight.noteSent(at: clock.now)
        clock.advance(.milliseconds(7))
        flight.succeed("v")
        let slow = try #require(log.last(1).first)
        #expect(slow.queue == 0 && slow.connection == 4_000_000 && slow.database == 7_000_000)
        #expect(slow.error == nil && slow.ended == clock.now)
    }

    @Test func `the last so many are kept, newest first, until they are forgotten`() throws {
        let (clock, log, group) = try slowBench { $0.keep = 3 }
        for number in 0..<5 {
            load("k\(number)", in: group)
            clock.advance(.milliseconds(10))
            getter.next()?.succeed("v")
        }
        #expect(log.last(.max).map(\.id) == [4, 3, 2])
        #expect(log.last(2).map(\.id) == [4, 3])
        #expect(log.last(-1).isEmpty)
        #expect(log.keptCount == 3 && log.count == 5)
        log.reset()
        #expect(log.keptCount == 0 && log.count == 5)
    }

    @Test func `keys are cut, or left out, and nothing is noted without a bound`() throws {
        let (clock, log, group) = try slowBench()
        func slowLoad(_ key: String) {
            load(key, in: group)
            clock.advance(.seconds(1))
            getter.next()?.succeed("v")
        }
        slowLoad(String(repeating: "k", count: 1000))
        #expect(log.last(1).first?.key?.count == SlowLoads.keyLimit)
        var settings = SlowLoads.Settings()
        settings.redactsKeys = true
        log.apply(settings)
        slowLoad("secret")
        #expect(log.last(1).first?.id == 1)
        #expect(log.last(1).first.map { $0.key == nil } == true)
        settings.longerThan = nil
        log.apply(settings)
        slowLoad("other")
        settings.longerThan = .zero
        settings.keep = 0
        log.apply(settings)
        slowLoad("another")
        #expect(log.count == 2 && log.keptCount == 0)
    }
}
