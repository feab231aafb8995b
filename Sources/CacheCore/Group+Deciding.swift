import Glibc
import Groundwork
import Singleflight

/// What a lookup decides under the shard's lock. Everything here is to be called with that lock held.
extension Group {
    /// The entry of a key; if its time in memory is over it is removed, and there is none.
    func findOrExpire(
        _ key: UnsafeRawBufferPointer, hash: UInt64, at now: Tick, in state: inout Shard.State
    ) -> SlotIndex? {
        let place = state.store.locate(key, hash: hash)
        guard place != .none else { return nil }
        guard let end = freshness.leaving(state.store.slots[Int(place)].pointee), end.isReached(at: now) else {
            return place
        }
        state.counters.expirations += 1
        note(.expired, at: place, in: &state)
        release(state.store.remove(place))
        return nil
    }

    /// The entry of a key, if it may be served.
    func servable(
        _ key: UnsafeRawBufferPointer, hash: UInt64, at now: Tick, in state: inout Shard.State
    ) -> SlotIndex? {
        guard let place = findOrExpire(key, hash: hash, at: now, in: &state) else { return nil }
        return freshness.isStale(state.store.slots[Int(place)].pointee, at: now) ? nil : place
    }

    enum Standing {
        /// It is served.
        case fresh
        /// It is served and reloaded.
        case needsRefresh
        /// It is served in place of a failed load only.
        case stale
    }

    func standing(of place: SlotIndex, at now: Tick, in state: inout Shard.State) -> Standing {
        let slot = state.store.slots[Int(place)].pointee
        guard slot.flags.contains(.marks), let marks = Record(slot)?.marks else { return .fresh }
        if !slot.flags.contains(.unlimited), marks.stale.isReached(at: now) { return .stale }
        if slot.flags.contains(.refreshing) { return .fresh }
        return freshness.needsRefresh(marks, at: now, chance: { state.random.chance() }) ? .needsRefresh : .fresh
    }

    /// A flight that replaces the entry at `place`; nil when one is under way.
    func refresh(_ key: Key, _ place: SlotIndex, in state: inout Shard.State) -> Flight? {
        state.store.slots[Int(place)].pointee.flags.insert(.refreshing)
        switch state.flights.join(key, nil) {
        case .follows: return nil
        case .leads(let seat):
            state.counters.loads += 1
            state.counters.refreshes += 1
            return Flight(key, of: self, call: seat.call)
        }
    }

    func join(_ key: Key, in shard: Int, _ waiter: Waiter, _ state: inout Shard.State) -> Lookup {
        guard cache.waiting.reserve(1) else { return .refused(tooManyWait) }
        switch state.flights.join(key, waiter) {
        case .follows(let seat):
            guard state.flights.waiterCount(of: seat.call) <= Self.waiterLimit else {
                state.flights.leave(seat)
                cache.waiting.release(1)
                return .refused(tooManyWait)
            }
            return .follows(Ticket(seat: seat, shard: shard))
        case .leads(let seat):
            state.counters.loads += 1
            return .leads(Flight(key, of: self, call: seat.call), Ticket(seat: seat, shard: shard))
        }
    }

    private var tooManyWait: LoadError {
        LoadError(.busy, "\(name): too many callers wait for loads; try again later")
    }

    func hit(
        _ place: SlotIndex, _ form: Form, at now: Tick, in state: inout Shard.State, into output: inout OutputRawSpan
    ) -> Hit {
        state.store.ask(place, at: now)
        let hit = Self.answer(state.store.slots[Int(place)].pointee, form, into: &output)
        switch hit {
        case .negative: state.counters.negativeHits += 1
        case .copied, .large: state.counters.hits += 1
        }
        return hit
    }

    /// Removes the entry of a key because the source has changed. Returns whether there was one.
    func drop(_ key: UnsafeRawBufferPointer, hash: UInt64, in state: inout Shard.State) -> Bool {
        let place = state.store.locate(key, hash: hash)
        guard place != .none else { return false }
        state.counters.invalidations += 1
        note(.invalidated, at: place, in: &state)
        release(state.store.remove(place))
        return true
    }

    /// What stands in for a failed load, for so many callers.
    func standIn(
        _ key: UnsafeRawBufferPointer, hash: UInt64, for callers: Int, at now: Tick, in state: inout Shard.State
    ) -> Value? {
        guard settings.staleIfError > .zero, let place = findOrExpire(key, hash: hash, at: now, in: &state),
            let record = Record(state.store.slots[Int(place)].pointee)
        else { return nil }
        state.counters.staleHits += callers
        return record.value
    }

    static func answer(_ slot: Slot, _ form: Form, into output: inout OutputRawSpan) -> Hit {
        guard let record = Record(slot), !slot.flags.contains(.negative) else { return .negative }
        if slot.flags.contains(.large) || form == .whole { return .large(record.value) }
        let bytes = record.bytes(form)
        guard bytes.count <= output.freeCapacity else { return .large(record.value) }
        output.withUnsafeMutableBytes { room, filled in
            // Within bounds: checked against the free capacity above.
            if let source = bytes.baseAddress, let target = room.baseAddress {
                memcpy(target + filled, source, bytes.count)
                filled += bytes.count
            }
        }
        return .copied
    }
}
