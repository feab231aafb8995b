import Groundwork
import Singleflight

/// A part of a group's keys: its entries and its flights under one lock, so that "is it in memory, else who loads it" is
/// one step. (groupcache looks into the cache, unlocks and then joins a flight; between the two a flight can land, and the
/// caller loads again what is in memory by now.)
final class Shard: Sendable {
    let state: Mutex<State>

    init(_ store: consuming EntryStore, seed: UInt64) {
        state = Mutex(State(store: store, random: SplitMix64(seed: seed)))
    }

    /// What the lock guards.
    struct State: ~Copyable {
        var store: EntryStore
        var flights = FlightTable<Key, Waiter>()
        var counters = GroupStatistics()
        /// Spreads expiry and decides about early refresh.
        var random: SplitMix64
        var hotKeys = HotKeys()
        /// What the observers are to be told; empty while there are none.
        var events: [(GroupEvent, Key)] = []

        /// Counts a lookup.
        @inline(__always)
        mutating func count(_ key: UnsafeRawBufferPointer, hash: UInt64) {
            counters.gets += 1
            if HotKeys.samples(random.next()) { hotKeys.count(key, hash: hash) }
        }
    }

    /// When the policy's next victim was asked for last; nil when there is none.
    func coldest() -> Tick? {
        state.withLock { state in
            guard let victim = state.store.victim() else { return nil }
            return state.store.slots[Int(victim)].pointee.asked
        }
    }
}

extension EntryStore: @unchecked Sendable {
    // Unchecked: it cannot be copied and owns all that its pointers lead to, so whoever holds it holds all of it.
}
