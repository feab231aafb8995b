import Groundwork
import Synchronization

/// A bound, on bytes say, that several holders draw from. Lock-free; any thread.
final class Budget: Sendable {
    private let bound: Atomic<Int>
    private let taken = Atomic<Int>(0)

    init(limit: Int) {
        bound = Atomic(limit)
    }

    /// The bound.
    var limit: Int { bound.load(ordering: .relaxed) }

    /// What is taken. Above `limit` only while that is being lowered.
    var used: Int { taken.load(ordering: .relaxed) }

    /// Takes `amount` if it fits, else nothing.
    func reserve(_ amount: Int) -> Bool { taken.reserve(amount, within: limit) }

    /// How much has to be given back before `amount` fits; at least 1.
    func shortage(for amount: Int) -> Int { max(1, used + amount - limit) }

    /// Moves the bound. When it gets lower, `evict` is asked to make room for so much, until what is taken fits or it returns 0;
    /// step by step, so that whoever needs room meanwhile never has to make all of it.
    func setLimit(_ limit: Int, evict: (Int) -> Int) {
        while used > limit {
            let next = max(limit, used - Self.step)
            bound.store(next, ordering: .relaxed)
            if used > next, evict(used - next) == 0 { break }
        }
        bound.store(limit, ordering: .relaxed)
    }

    /// What is evicted in one go: a lock is held for well under a millisecond.
    private static let step = 64 << 10

    /// Gives `amount` back.
    func release(_ amount: Int) {
        taken.subtract(amount, ordering: .relaxed)
    }
}
