import Groundwork
import Singleflight

/// A part of a group's keys: its entries and its flights under one lock, so that "is it in memory, else who loads it" is
/// one step. (groupcache looks into the cache, unlocks and then joins a flight; between the two a flight can land, and the
/// caller loads again what is in memory by now.)
struct Shard: ~Copyable, Sendable {
    let state: Mutex<State>

    init(_ store: consuming EntryStore, seed: UInt64) {
        state = Mutex(State(store: store, random: SplitMix64(seed: seed)))
    }

    /// What the lock guards.
    struct State: ~Copyable {
        var store: EntryStore
        var flights = FlightTable<Key, Waiter>()
        var storing = Storing()
        var counters = GroupStatistics()
        /// Spreads expiry and decides about early refresh.
        var random: SplitMix64
        var hotKeys = HotKeys()
        /// What the observers are to be told; empty while there are none.
        var events: [(GroupEvent, Key)] = []

        /// When the policy's next victim was asked for last; nil when there is none.
        mutating func coldest() -> Tick? {
            store.victim().map { store.slots[Int($0)].pointee.asked }
        }

        /// Has the flight of a key forgotten. Returns whether there was one.
        mutating func fence(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Bool {
            // Mostly nothing is under way: then no key has to be made.
            flights.count > 0 && flights.forget(Key(Array(key), hash: hash))
        }

        /// Whether what a flight brings is kept.
        func keeps(_ call: FlightCall) -> Bool { storing.isOn && !flights.isForgotten(call) }

        /// Counts a lookup.
        @inline(__always)
        mutating func count(_ key: UnsafeRawBufferPointer, hash: UInt64) {
            counters.gets += 1
            if HotKeys.samples(random.next()) { hotKeys.count(key, hash: hash) }
        }
    }
}

/// The shards of a group, in one block of memory: a lookup counts no reference to one, as all threads would have to take
/// the count from one another to change it.
final class Shards: @unchecked Sendable {
    // Unchecked: the block is written in `init` and `deinit` only, and what is in it is Sendable.
    private let base: UnsafeMutablePointer<Shard>
    let count: Int

    /// So many shards; `make` makes each.
    init(count: Int, make: () -> Shard) {
        base = .allocate(capacity: count)
        self.count = count
        for number in 0..<count { (base + number).initialize(to: make()) }
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// Runs `body` with the lock of a shard held.
    @inline(__always)
    func withLock<Result: ~Copyable>(
        _ number: Int, _ body: (inout sending Shard.State) -> sending Result
    ) -> sending Result {
        assert(number >= 0 && number < count)
        return base[number].state.withLock(body)
    }
}

extension EntryStore: @unchecked Sendable {
    // Unchecked: it cannot be copied and owns all that its pointers lead to, so whoever holds it holds all of it.
}
