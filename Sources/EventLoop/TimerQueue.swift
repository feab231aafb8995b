import Groundwork
import HeapModule

/// Names one scheduled job of an ``EventLoop``.
public struct Timer: Hashable, Sendable {
    let id: UInt64
}

/// Jobs by their deadline. A cancelled job's alarm stays in the heap until it is the earliest or until such alarms outnumber the
/// live ones, so cancelling costs O(1), scheduling O(log n), and memory stays within twice what is live.
struct TimerQueue {
    private struct Alarm: Comparable {
        let deadline: Instant
        let id: UInt64

        static func < (left: Alarm, right: Alarm) -> Bool {
            (left.deadline, left.id) < (right.deadline, right.id)
        }
    }

    private var alarms = Heap<Alarm>()
    private var jobs: [UInt64: () -> Void] = [:]
    private var lastID: UInt64 = 0

    /// The number of live jobs.
    var count: Int { jobs.count }

    mutating func schedule(at deadline: Instant, _ job: @escaping () -> Void) -> Timer {
        lastID += 1
        jobs[lastID] = job
        alarms.insert(Alarm(deadline: deadline, id: lastID))
        return Timer(id: lastID)
    }

    mutating func cancel(_ timer: Timer) {
        guard jobs.removeValue(forKey: timer.id) != nil else { return }
        if alarms.count > 64 + 2 * jobs.count {
            alarms = Heap(alarms.unordered.filter { jobs[$0.id] != nil })
        }
        dropCancelled()
    }

    /// When the earliest job is due.
    func nextDeadline() -> Instant? { alarms.min?.deadline }

    /// Takes out the earliest job that is due at `now`.
    mutating func popDue(at now: Instant) -> (() -> Void)? {
        guard let deadline = nextDeadline(), deadline <= now else { return nil }
        let job = jobs.removeValue(forKey: alarms.removeMin().id)
        dropCancelled()
        return job
    }

    /// The earliest alarm is always a live job's: the loop looks at it twice in each round, and looks up nothing.
    private mutating func dropCancelled() {
        while let first = alarms.min, jobs[first.id] == nil { alarms.removeMin() }
    }
}
