import DequeModule
import Groundwork

/// Loads of one getter that were not sent yet. Its pool's loop only.
final class LoadQueue {
    /// Each goes out in a segment of its own, or is a batch that was made before.
    private var alone = UniqueDeque<Load>()
    /// They go out as queries of their own, several in a segment.
    private var single = UniqueDeque<Load>()
    /// They go out together as one query.
    private var batchable = UniqueDeque<Load>()
    /// Whether the pool has it on its list.
    var isListed = false

    /// What may go out next.
    enum Next {
        case alone, single, batchable
    }

    var count: Int { alone.count + single.count + batchable.count }
    var isEmpty: Bool { next == nil }

    /// Those that go out as one query when they are enough.
    var batchableCount: Int { batchable.count }

    var next: Next? {
        !alone.isEmpty ? .alone : !single.isEmpty ? .single : !batchable.isEmpty ? .batchable : nil
    }

    /// Whether the next one is a batch that was made before.
    var isBatchNext: Bool { !alone.isEmpty && alone[0].batch != nil }

    func append(_ load: consuming Load) {
        if load.isSentAlone {
            alone.append(load)
        } else if load.isBatchable {
            batchable.append(load)
        } else {
            single.append(load)
        }
    }

    /// What was taken out of a queue.
    struct Taken: ~Copyable {
        var loads = UniqueDeque<Load>()
        /// Those that nobody wants any more. Whoever drops them has their group start others, here and at once: so not
        /// before the queue is left, nor before what was decided about ``loads`` is done.
        var unwanted = UniqueDeque<Load>()
    }

    /// Takes what is to go out next, at most `count` loads of `next`'s kind. Those that nobody wants any more are sorted
    /// out, before they cost the database anything; those that came in this round need not be asked.
    func take(_ next: Next, _ count: Int, at now: Instant) -> Taken {
        switch next {
        case .alone: Self.take(1, .max, from: &alone, at: now)
        case .single: Self.take(count, Self.segmentBytes, from: &single, at: now)
        case .batchable: Self.take(count, .max, from: &batchable, at: now)
        }
    }

    /// More bytes than this are not put into one segment, the last load's excepted.
    private static let segmentBytes = 64 << 10

    private static func take(
        _ count: Int, _ byteLimit: Int, from queue: inout UniqueDeque<Load>, at now: Instant
    ) -> Taken {
        var taken = Taken()
        taken.loads.reserveCapacity(min(count, queue.count))
        var bytes = 0
        while taken.loads.count < count, bytes <= byteLimit, let load = queue.popFirst() {
            if load.startedAt == now || load.isWanted(at: now) {
                bytes += load.byteCount
                taken.loads.append(load)
            } else {
                taken.unwanted.append(load)
            }
        }
        return taken
    }

    /// When the first one gives up.
    var deadline: Instant? {
        var deadline: Instant?
        if !alone.isEmpty { deadline = alone[0].leavesQueueAt }
        if !single.isEmpty { deadline = min(deadline ?? single[0].leavesQueueAt, single[0].leavesQueueAt) }
        if !batchable.isEmpty { deadline = min(deadline ?? batchable[0].leavesQueueAt, batchable[0].leavesQueueAt) }
        return deadline
    }

    /// Takes out one that has given up.
    func popOverdue(at now: Instant) -> Load? {
        if !alone.isEmpty, alone[0].leavesQueueAt <= now { return alone.popFirst() }
        if !single.isEmpty, single[0].leavesQueueAt <= now { return single.popFirst() }
        if !batchable.isEmpty, batchable[0].leavesQueueAt <= now { return batchable.popFirst() }
        return nil
    }

    /// Takes out all of them.
    func takeAll() -> UniqueDeque<Load> {
        var all = UniqueDeque<Load>()
        while let load = alone.popFirst() { all.append(load) }
        while let load = single.popFirst() { all.append(load) }
        while let load = batchable.popFirst() { all.append(load) }
        return all
    }
}
