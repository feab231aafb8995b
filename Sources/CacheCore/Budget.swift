import Groundwork
import Synchronization

/// A bound, on bytes say, that several holders draw from. Lock-free; any thread.
final class Budget: Sendable {
    let limit: Int
    private let taken = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    /// What is taken. Never above `limit`.
    var used: Int { taken.load(ordering: .relaxed) }

    /// Takes `amount` if it fits, else nothing.
    func reserve(_ amount: Int) -> Bool { taken.reserve(amount, within: limit) }

    /// How much has to be given back before `amount` fits; at least 1.
    func shortage(for amount: Int) -> Int { max(1, used + amount - limit) }

    /// Gives `amount` back.
    func release(_ amount: Int) {
        taken.subtract(amount, ordering: .relaxed)
    }
}
