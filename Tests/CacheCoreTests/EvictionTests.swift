import Groundwork
import Testing

@testable import CacheCore

struct EvictionTests {
    @Test(arguments: Eviction.allCases, 1...4)
    func `each policy agrees with a plain model of it over random operations`(_ eviction: Eviction, seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var model: any ModelPolicy =
            switch eviction {
            case .lru: LRUModel()
            case .sieve: SieveModel()
            case .s3fifo: S3FIFOModel()
            }
        var store = EntryStore(policy: eviction.makePolicy(), exactly: true)
        var returns = 0
        var gone: Set<Int> = []
        for step in 0..<10_000 {
            // Some keys are asked for much more often than others.
            let key = Int(400 * Double.random(in: 0..<1, using: &random) * Double.random(in: 0..<1, using: &random))
            if let slot = store.slot(of: key) {
                if Int.random(in: 0..<50, using: &random) == 0 {
                    store.remove(slot)
                    model.remove(key)
                } else {
                    store.ask(slot, at: Tick(count: 0))
                    model.ask(key)
                }
            } else {
                if store.count == 150 {
                    let victim = store.evictVictim()
                    #expect(victim == model.evict())
                    victim.map { _ = gone.insert($0) }
                }
                if gone.contains(key) { returns += 1 }
                store.insert(key)
                model.insert(key)
            }
            if step % 100 == 0 {
                #expect(Set(store.allKeys) == Set(model.keys))
                #expect(store.invariantViolations() == [])
            }
        }
        #expect(returns > 500)
    }

    @Test(arguments: Eviction.allCases)
    func `evicting gives up every entry once, and then there is none`(
        _ eviction: Eviction
    ) {
        var random = SplitMix64(seed: 7)
        var store = EntryStore(policy: eviction.makePolicy(), exactly: true)
        for key in 0..<500 { store.insert(key) }
        for _ in 0..<2000 {
            if let slot = store.slot(of: Int.random(in: 0..<500, using: &random)) {
                store.ask(slot, at: Tick(count: 0))
            }
        }
        var victims: Set<Int> = []
        while let victim = store.evictVictim() { #expect(victims.insert(victim).inserted) }
        #expect(victims == Set(0..<500))
        #expect(store.count == 0)
        #expect(store.invariantViolations() == [])
    }

    @Test func `sieve keeps what was asked for, and its hand goes on from where it stopped`() {
        var store = EntryStore(policy: Sieve(), exactly: true)
        for key in 1...5 { store.insert(key) }
        for key in [1, 3] { store.ask(key) }
        let first = store.evictVictim()
        #expect(first == 2)
        store.insert(6)
        // Past 3, whose mark it takes off.
        let second = store.evictVictim()
        #expect(second == 4)
        // 1 has no mark any more, but the hand is behind it.
        let others = [store.evictVictim(), store.evictVictim(), store.evictVictim()]
        #expect(others == [5, 6, 1])
    }

    @Test func `s3-fifo lets a scan pass through its small queue`() {
        var store = EntryStore(policy: S3FIFO(), exactly: true)
        for key in 0..<100 { store.insert(key) }
        for key in 0..<90 {
            store.ask(key)
            store.ask(key)
        }
        for key in 1000..<5000 {
            _ = store.evictVictim()
            store.insert(key)
        }
        let kept = (0..<90).filter { store.slot(of: $0) != nil }
        #expect(kept.count == 90)
    }

    @Test func `s3-fifo takes what comes back into its main queue, but not what was invalidated`() {
        for wasEvicted in [true, false] {
            var store = EntryStore(policy: S3FIFO(), exactly: true)
            for key in 0..<100 { store.insert(key) }
            if wasEvicted {
                let victim = store.evictVictim()
                #expect(victim == 0)
            } else if let slot = store.slot(of: 0) {
                store.remove(slot)
            }
            store.insert(0)
            for key in 1000..<1100 {
                _ = store.evictVictim()
                store.insert(key)
            }
            #expect((store.slot(of: 0) != nil) == wasEvicted)
        }
    }

    @Test func `ghosts are those that went last, and are forgotten when they come back`() {
        var random = SplitMix64(seed: 1)
        var ghosts = Ghosts()
        var queue: [UInt64] = []
        var remembered = 0
        var asked = 0
        for _ in 0..<20_000 {
            if Bool.random(using: &random) || queue.isEmpty {
                let hash = random.next()
                ghosts.insert(hash, limit: 200)
                queue.append(hash)
            } else {
                // Half of them too long ago.
                let index = queue.count - 1 - Int.random(in: 0..<min(400, queue.count), using: &random)
                let isGhost = ghosts.take(queue[index], limit: 200)
                let isRecent = queue.count - 1 - index < 200
                #expect(!isGhost || isRecent)
                let isThereStill = ghosts.take(queue[index], limit: 200)
                #expect(!isThereStill)
                if isRecent, queue[index] != 0 {
                    asked += 1
                    if isGhost { remembered += 1 }
                }
                // Taken, or gone: not to be asked for again. It goes on counting.
                queue[index] = 0
            }
        }
        #expect(Double(remembered) > 0.9 * Double(asked))
    }

    @Test func `what ghosts take is counted, and the bound holds`() throws {
        var settings = GroupSettings()
        settings.eviction = .s3fifo
        settings.shards = 2
        settings.memory = 100_000
        let bench = try Bench(settings: settings, getter: PromptGetter())
        var random = SplitMix64(seed: 3)
        for _ in 0..<20_000 {
            bench.get("key-\(Int.random(in: 0..<3000, using: &random))")
            if bench.cache.usedBytes > 100_000 { Issue.record("\(bench.cache.usedBytes) bytes are taken") }
        }
        #expect(bench.group.checkInvariants() == [])
        #expect(bench.cache.usedBytes > 95_000)
        bench.group.invalidateAll()
        #expect(bench.cache.usedBytes == 0)
    }
}

/// A store under keys that are numbers.
extension EntryStore {
    fileprivate func slot(of key: Int) -> SlotIndex? {
        let bytes = key.bytes
        let slot = locate(bytes.span.bytes, hash: Self.hash(bytes.span.bytes))
        return slot == .none ? nil : slot
    }

    fileprivate mutating func insert(_ key: Int) {
        let bytes = key.bytes
        _ = insert(
            bytes.span.bytes, hash: Self.hash(bytes.span.bytes), value: Value(text: []), times: Times(),
            at: Tick(count: 0))
    }

    fileprivate mutating func ask(_ key: Int) {
        if let slot = slot(of: key) { ask(slot, at: Tick(count: 0)) }
    }

    fileprivate mutating func evictVictim() -> Int? {
        guard let slot = victim() else { return nil }
        let key = key(in: slot)
        remove(slot, evicted: true)
        return key
    }

    fileprivate var allKeys: [Int] { (0..<slotCount).compactMap { key(in: SlotIndex($0)) } }

    private func key(in slot: SlotIndex) -> Int? {
        Record(self[slot]).map { Int(bytes: Key($0).bytes) }
    }
}

extension Int {
    /// As a key.
    var bytes: [UInt8] { Swift.withUnsafeBytes(of: self) { Array($0) } }

    fileprivate init(bytes: [UInt8]) { self = bytes.withUnsafeBytes { $0.loadUnaligned(as: Int.self) } }
}
