import Groundwork
import HeapModule

/// Names one scheduled job of an ``EventLoop``.
public struct Timer: Hashable, Sendable {
    let id: UInt64
}

/// Jobs by their deadline. A cancelled job's place in the heap stays until it comes up or until such places outnumber the
/// live ones, so cancelling costs O(1), scheduling O(log n), and memory stays within twice what is live.
struct TimerQueue {
    private struct Place: Comparable {
        let deadline: Instant
        let id: UInt64

        static func < (left: Place, right: Place) -> Bool {
            (left.deadline, left.id) < (right.deadline, right.id)
        }
    }

    private var places = Heap<Place>()
    private var jobs: [UInt64: () -> Void] = [:]
    private var lastID: UInt64 = 0

    /// The number of live jobs.
    var count: Int { jobs.count }

    mutating func schedule(at deadline: Instant, _ job: @escaping () -> Void) -> Timer {
        lastID += 1
        jobs[lastID] = job
        places.insert(Place(deadline: deadline, id: lastID))
        return Timer(id: lastID)
    }

    mutating func cancel(_ timer: Timer) {
        guard jobs.removeValue(forKey: timer.id) != nil else { return }
        if places.count > 64 + 2 * jobs.count {
            places = Heap(places.unordered.filter { jobs[$0.id] != nil })
        }
    }

    /// When the earliest live job is due.
    mutating func nextDeadline() -> Instant? {
        while let first = places.min {
            if jobs[first.id] != nil { return first.deadline }
            places.removeMin()
        }
        return nil
    }

    /// Takes out the earliest job that is due at `now`.
    mutating func popDue(at now: Instant) -> (() -> Void)? {
        guard let deadline = nextDeadline(), deadline <= now else { return nil }
        return jobs.removeValue(forKey: places.removeMin().id)
    }
}
