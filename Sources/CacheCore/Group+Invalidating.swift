import Groundwork
import Singleflight
import Synchronization

extension Group {
    /// Drops the entry of a key and fences its flight: what that brings goes to those who wait and is not kept. From now on
    /// no older value is served or stored. Returns whether there was an entry or a flight. O(1), one lock.
    @discardableResult
    public func invalidate(_ key: RawSpan) -> Bool {
        withShard(of: key) { bytes, hash, _, state in
            let isFenced = state.fence(bytes, hash: hash)
            return drop(bytes, hash: hash, in: &state) || isFenced
        }
    }

    /// Invalidates a key, and if it was in memory gives out a flight that brings it back, which nobody waits for.
    ///
    /// The old value is not served meanwhile: whoever asks joins the flight. It goes to ``load(_:)`` and so takes its turn
    /// with the group's other loads. One that was invalidated again before it was sent is no longer wanted, and its
    /// successor takes its place. Nil also while storing is suspended. O(1), one lock.
    public func reload(_ key: RawSpan) -> Flight? {
        let now = cache.clock()
        return withShard(of: key) { bytes, hash, _, state in
            let isInMemory = servable(bytes, hash: hash, at: tick(now), in: &state) != nil
            let key = Key(Array(bytes), hash: hash)
            let isOnItsWay = state.flights.isUnprompted(key)
            state.flights.forget(key)
            _ = drop(bytes, hash: hash, in: &state)
            guard isInMemory || isOnItsWay, state.storing.isOn else { return nil }
            switch state.flights.join(key, nil) {
            // Not after the forgetting.
            case .follows: return nil
            case .leads(let seat):
                state.counters.loads += 1
                state.counters.reloads += 1
                return Flight(key, of: self, call: seat.call)
            }
        }
    }

    /// Drops every entry and fences every flight. Memory is given back outside the locks.
    public func invalidateAll() {
        flush()
    }

    // MARK: While nobody tells of changes

    /// Drops every entry, fences every flight, and keeps nothing from now on: values are loaded once for all who wait,
    /// delivered, and forgotten; what is put in is refused. For a time in which nobody tells what becomes stale.
    public func suspendStoring() {
        flush(isStoring: false)
    }

    /// Stores again. To be called when changes are told of again: what was read before that may be stale, so all flights
    /// that began by now are fenced. Calls of this and ``suspendStoring()`` may overlap; the one that began last counts.
    public func resumeStoring() {
        flush(isStoring: true)
    }

    /// Whether values are kept.
    public var isStoring: Bool { shards.withLock(0) { $0.storing.isOn } }

    /// Drops and fences everything; what is said about storing takes effect in each shard under the same lock.
    private func flush(isStoring: Bool? = nil) {
        let storing = isStoring.map {
            Storing(isOn: $0, change: storingChanges.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        for number in 0..<shards.count {
            let old = shards.withLock(number) { state in
                if let storing, storing.change > state.storing.change { state.storing = storing }
                state.flights.forgetAll()
                state.counters.invalidations += state.store.count
                var store = Self.makeStore(settings, freshness)
                swap(&store, &state.store)
                return store
            }
            release(old.bytes)
            if isObserved.load(ordering: .relaxed) { tellFlushed(old) }
        }
        if isObserved.load(ordering: .relaxed) { tellFlushed() }
    }
}

/// Whether a shard keeps what lands.
struct Storing {
    var isOn = true
    /// Which change brought it, counted in the group: of two that overlap the later wins in every shard.
    var change: UInt64 = 0
}
