import Synchronization

/// A bound on bytes that several holders draw from. Lock-free; any thread.
final class MemoryBudget: Sendable {
    let limit: Int
    private let taken = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// Bytes that are taken. Never above `limit`.
    var used: Int { taken.load(ordering: .relaxed) }

    /// Takes `bytes` if they fit, else nothing.
    func reserve(_ bytes: Int) -> Bool {
        var current = taken.load(ordering: .relaxed)
        while current + bytes <= limit {
            let (exchanged, original) = taken.weakCompareExchange(
                expected: current, desired: current + bytes, ordering: .relaxed)
            if exchanged { return true }
            current = original
        }
        return false
    }

    /// How much has to be given back before `bytes` fit; at least 1.
    func shortage(for bytes: Int) -> Int { max(1, used + bytes - limit) }

    /// Gives `bytes` back.
    func release(_ bytes: Int) {
        taken.subtract(bytes, ordering: .relaxed)
    }
}
