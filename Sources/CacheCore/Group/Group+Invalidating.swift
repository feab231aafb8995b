import Groundwork
import Synchronization

extension Group {
    /// Drops the entry of a key and fences its flight: what that brings goes to those who wait and is not kept. From now on
    /// no older value is served or stored. Returns whether there was an entry or a flight. O(1), one lock.
    @discardableResult
    package func invalidate(_ key: RawSpan) -> Bool {
        defer { fenceUnheard() }
        let hash = KeyHash(key).value
        return withShard(of: hash) { _, state in state.invalidate(key, hash: hash) }
    }

    /// Invalidates a key, and if it was in memory gives out a flight that brings it back, which nobody waits for.
    ///
    /// The old value is not served meanwhile: whoever asks joins the flight. It goes to ``load(_:)`` and so takes its turn
    /// with the group's other loads. One that was invalidated again before it was sent is no longer wanted, and its
    /// successor takes its place. Nil also while storing is suspended. O(1), one lock.
    package func reload(_ key: RawSpan) -> Flight? {
        fenceUnheard()
        let hash = KeyHash(key).value
        let now = tick(cache.clock())
        return withShard(of: hash) { _, state in
            guard let (key, call) = state.reload(key, hash: hash, at: now) else { return nil }
            return Flight(key, of: self, call: call)
        }
    }

    /// Whether there is room for what ``reload(_:)`` gives out. Half of the loads that may wait are left to those that somebody
    /// waits for.
    package var takesReloads: Bool { gate.withLock { $0.takesUnprompted } }

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
    public var isStoring: Bool { shards[0].state.withLock { $0.storing.isOn } }

    /// Drops and fences everything; what is said about storing takes effect in each shard under the same lock.
    private func flush(isStoring: Bool? = nil) {
        let change = isStoring.map {
            Storing(isOn: $0, change: storingChanges.wrappingAdd(1, ordering: .relaxed).newValue)
        }
        for shard in 0..<shards.count {
            let old = shards[shard].state.withLock { $0.flush(Self.makeStore(settings), change) }
            release(old.bytes)
            if observers.exist { observers.tellFlushed(old) }
        }
        if observers.exist { observers.tellFlushed() }
    }
}
