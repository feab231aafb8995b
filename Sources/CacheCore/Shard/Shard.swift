import Groundwork
import Singleflight

/// A part of a group's keys: its entries and its flights under one lock, so that "is it in memory, else who loads it" is
/// one step. (groupcache looks into the cache, unlocks and then joins a flight; between the two a flight can land, and the
/// caller loads again what is in memory by now.)
struct Shard: ~Copyable, Sendable {
    let state: Mutex<State>

    init(_ state: consuming sending State) {
        self.state = Mutex(state)
    }

    /// What the lock guards. Its functions decide; the group that holds the lock does what they say, and what they leave in
    /// `freed` and `events`.
    struct State: ~Copyable {
        /// The group's rules of time.
        var freshness: Freshness
        private let observers: Observers
        var store: EntryStore
        var flights = FlightTable<Key, Waiter>()
        var storing = Storing()
        var counters = GroupStatistics()
        var loadTimes = LoadTimes()
        /// Spreads expiry and decides about early refresh.
        var random: SplitMix64
        var hotKeys = HotKeys()
        /// Bytes that entries took which went: the group gives them back.
        var freed = 0
        /// What the observers are to be told, outside the lock; empty while there are none.
        var events: [(event: GroupEvent, key: Key)] = []
        /// What they are being told by some thread.
        var untold = Untold()

        init(_ store: consuming EntryStore, _ freshness: Freshness, _ observers: Observers, seed: UInt64) {
            self.store = store
            self.freshness = freshness
            self.observers = observers
            random = SplitMix64(seed: seed)
        }

        /// Notes what happened to the entry in `slot`, if anyone wants to know.
        mutating func note(_ event: GroupEvent, of slot: SlotIndex) {
            guard observers.exist, let record = Record(store[slot]) else { return }
            events.append((event, Key(record)))
        }

        /// Notes what happened to a key.
        mutating func note(_ event: GroupEvent, _ key: Key) {
            if observers.exist { events.append((event, key)) }
        }

        /// Whether the group has something to do: room to give back, or events to tell of.
        var leftSomething: Bool {
            @inline(__always)
            get { freed != 0 || !events.isEmpty }
        }

        /// Whether anyone wants to know what happens.
        var isObserved: Bool { observers.exist }
    }
}

extension Shard {
    /// What observers are to be told outside the lock.
    struct News: Sendable {
        let events: [(event: GroupEvent, key: Key)]
        /// Whether the shard counts them as untold until they are told.
        let isNoted: Bool
    }
}

/// Whether a shard keeps what lands.
struct Storing {
    var isOn = true
    /// Which change brought it, counted in the group: of two that overlap the later wins in every shard.
    var change: UInt64 = 0
}
