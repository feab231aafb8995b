import DequeModule

/// Holds back the loads of a group, or a typed cache, that would be too many at once: many different cold keys, as after a
/// restart, are paced by it. (Singleflight alone does not help there.)
///
/// A state machine without a lock of its own; whoever drives it does what it returns outside the lock.
package struct LoadGate<Flight: ~Copyable>: ~Copyable {
    private var limit = 1
    private var queueLimit = 0
    private var active = 0
    private var queue = UniqueDeque<Flight>()
    /// Whether somebody is starting queued loads: then others leave it to them. Without this a source that fails each load
    /// at once would have every failure start the next load from within, as deep as the queue is long.
    private var isPumping = false

    /// What happens to a flight at the gate.
    package enum Passage {
        /// It may start.
        case starts
        /// It waits for its turn in the queue.
        case waits
        /// There are too many: it fails.
        case fails
    }

    package init(limit: Int, queueLimit: Int) {
        setLimits(limit, queueLimit: queueLimit)
    }

    private mutating func setLimits(_ limit: Int, queueLimit: Int) {
        self.limit = max(1, limit)
        self.queueLimit = max(0, queueLimit)
    }

    /// Other bounds from now on: what runs goes on, and what waits stays. Returns whether the caller has to ask ``next()`` until
    /// it gives nothing.
    mutating func change(limit: Int, queueLimit: Int) -> Bool {
        setLimits(limit, queueLimit: queueLimit)
        return startsPumping()
    }

    /// Loads that run.
    var activeCount: Int { active }
    /// Loads that wait for their turn.
    var queuedCount: Int { queue.count }

    /// Whether there is room for loads that nobody waits for: half of the queue is for those that somebody does.
    var takesUnprompted: Bool { active < limit || queue.count < queueLimit / 2 }

    /// Decides about `flight`, and takes it when it has to wait.
    package mutating func enter(_ flight: inout Flight?) -> Passage {
        if active < limit {
            active += 1
            return .starts
        }
        guard queue.count < queueLimit, let waiting = flight.take() else { return .fails }
        queue.append(waiting)
        return .waits
    }

    /// A load ended, or several did. Returns whether the caller has to ask ``next()`` until it gives nothing.
    package mutating func leave(_ count: Int = 1) -> Bool {
        active -= count
        return startsPumping()
    }

    private mutating func startsPumping() -> Bool {
        guard !isPumping, !queue.isEmpty else { return false }
        isPumping = true
        return true
    }

    /// A load that ``next()`` gave out will not start after all.
    package mutating func skip() { active -= 1 }

    /// The next load to start.
    package mutating func next() -> Flight? {
        guard active < limit, let flight = queue.popFirst() else {
            isPumping = false
            return nil
        }
        active += 1
        return flight
    }
}
