import Groundwork
import Testing

@testable import CacheCore

/// The least that an LRU can be: a list, newest last, and a sum.
private struct ModelLRU {
    var entries: [(key: String, cost: Int)] = []
    var slots = 0
    let limit: Int

    var bytes: Int { entries.reduce(0) { $0 + $1.cost } + slots * EntryStore.slotCost }

    mutating func get(_ key: String) -> Bool {
        guard let index = entries.firstIndex(where: { $0.key == key }) else { return false }
        entries.append(entries.remove(at: index))
        return true
    }

    mutating func invalidate(_ key: String) {
        entries.removeAll { $0.key == key }
    }

    mutating func insert(_ key: String, cost: Int) {
        let needed = cost + EntryStore.slotCost
        guard needed <= limit else { return }
        while bytes + needed > limit, !entries.isEmpty {
            entries.removeFirst()
            // When all slots are vacant they are given back.
            if entries.isEmpty { slots = 0 }
        }
        guard bytes + needed <= limit else { return }
        entries.append((key, cost))
        slots = max(slots, entries.count)
    }
}

struct MemoryTests {
    @Test(arguments: 1...8)
    func `random operations agree with a simple model, and the bound is never exceeded`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var settings = GroupSettings()
        settings.shards = 1
        settings.memory = 20_000
        // With an idle time each ask counts, not one a second.
        settings.idleTimeToLive = .seconds(1_000_000)
        let sized = SizedGetter()
        let bench = try Bench(settings: settings, getter: sized)
        var model = ModelLRU(limit: 20_000)
        for _ in 0..<3000 {
            let key = "key-\(Int.random(in: 0..<300, using: &random))"
            switch Int.random(in: 0..<10, using: &random) {
            case 0:
                bench.invalidate(key)
                model.invalidate(key)
            default:
                let size = Bool.random(using: &random) ? 20 : Int.random(in: 0..<2500, using: &random)
                sized.length.withLock { $0 = size }
                let hit = bench.get(key) != "leads"
                let modelHit = model.get(key)
                #expect(hit == modelHit)
                if !hit {
                    let value = Value(text: [UInt8](repeating: 120, count: size))
                    model.insert(key, cost: Record.cost(keyLength: key.utf8.count, value: value, marks: false))
                }
            }
            #expect(bench.group.checkInvariants() == [])
            #expect(bench.cache.usedBytes == model.bytes)
            #expect(bench.cache.usedBytes <= 20_000)
        }
        #expect(bench.group.statistics.evictions > 100)
    }

    @Test func `the entry that was not asked for the longest goes first`() throws {
        var settings = GroupSettings()
        settings.shards = 1
        let record = Record.cost(keyLength: 1, value: Value(text: Array("value of a".utf8)), marks: false)
        // Room for three; an insertion also wants room for a slot, though it takes a vacant one if there is.
        settings.memory = 3 * (record + EntryStore.slotCost) + EntryStore.slotCost
        let bench = try Bench(settings: settings, getter: PromptGetter())
        for key in ["a", "b", "c", "a", "d"] {
            bench.clock.advance(.seconds(2))
            bench.get(key)
        }
        #expect(bench.peek("b") == nil)
        for key in ["a", "c", "d"] { #expect(bench.peek(key) != nil) }
    }

    @Test func `a value above the group's share is delivered and not kept`() throws {
        var settings = GroupSettings()
        settings.memory = 1000
        let bench = try Bench(
            settings: settings, getter: PromptGetter { _ in Value(text: [UInt8](repeating: 120, count: 2000)) })
        #expect(bench.get("k", token: 1) == "leads")
        #expect(bench.outcomes[1].first?.count == 2000)
        #expect(bench.get("k") == "leads")
        #expect(bench.group.statistics.tooLarge == 2)
    }

    @Test func `a value may fill the whole share although that is dealt to many shards`() throws {
        var settings = GroupSettings()
        settings.memory = 300_000
        let bench = try Bench(
            settings: settings,
            getter: PromptGetter { Value(text: [UInt8](repeating: 120, count: $0 == "big" ? 280_000 : 100)) })
        for number in 0..<3000 { bench.get("k\(number)") }
        bench.get("big")
        #expect(bench.peek("big")?.count == 280_000)
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `groups share one bound, and the group that was not asked for the longest gives way`() throws {
        let clock = MovedClock()
        let cache = Cache(memory: 500_000) { clock.now }
        let old = try Group("old", in: cache, getter: PromptGetter())
        let new = try Group("new", in: cache, getter: PromptGetter())
        let outcomes = Outcomes()
        func get(_ group: Group, _ key: String) {
            var bytes = [UInt8](repeating: 0, count: 100)
            bytes.withUnsafeMutableBytes { buffer in
                var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
                let waiter = Waiter(outcomes, token: 0, deadline: clock.now)
                switch group.lookup(Array(key.utf8).span.bytes, .text, at: clock.now, waiter: waiter, into: &output) {
                case .hit: break
                case .follows: break
                case .refused: break
                case .refreshes: break
                case .leads(let flight, _): group.load(flight)
                }
            }
        }
        for number in 0..<10_000 { get(old, "k\(number)") }
        let before = old.statistics.entries
        clock.advance(.seconds(1))
        for number in 0..<1000 { get(new, "k\(number)") }
        #expect(new.statistics.entries == 1000)
        #expect(new.statistics.evictions == 0)
        #expect(old.statistics.entries < before)
        #expect(cache.usedBytes <= 500_000)
        #expect(old.checkInvariants() + new.checkInvariants() == [])
    }

    @Test func `threads that load, ask and invalidate at once leave everything in order`() async throws {
        var settings = GroupSettings()
        settings.memory = 60_000
        settings.shards = 2
        let bench = try Bench(memory: 50_000, settings: settings, getter: PromptGetter())
        await withTaskGroup(of: Void.self) { tasks in
            for seed in 1...4 {
                tasks.addTask {
                    var random = SplitMix64(seed: UInt64(seed))
                    for _ in 0..<5000 {
                        let key = "key-\(Int.random(in: 0..<1000, using: &random))"
                        switch Int.random(in: 0..<20, using: &random) {
                        case 0: bench.invalidate(key)
                        case 1: bench.cache.sweep(at: bench.clock.now)
                        case 2: bench.clock.advance(.milliseconds(20))
                        case 3: if Int.random(in: 0..<100, using: &random) == 0 { bench.group.invalidateAll() }
                        default: bench.get(key)
                        }
                    }
                }
            }
        }
        #expect(bench.group.checkInvariants() == [])
        #expect(bench.cache.usedBytes <= 50_000)
    }
}

/// Loads a text of the length that the test has set.
private final class SizedGetter: Getter {
    let length = Mutex<Int>(0)

    func load(_ flight: consuming Flight) {
        flight.succeed(Value(text: [UInt8](repeating: 120, count: length.withLock { $0 })))
    }
}
