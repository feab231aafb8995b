public import Synchronization

extension Atomic where Value == Int {
    /// Adds `amount` if the sum is at most `limit`, else nothing. Never above it, not even for a moment: others would find no
    /// room.
    @inlinable
    public func reserve(_ amount: Int, within limit: Int) -> Bool {
        var current = load(ordering: .relaxed)
        while amount <= limit - current {
            let (isTaken, found) = weakCompareExchange(
                expected: current, desired: current + amount, ordering: .relaxed)
            if isTaken { return true }
            current = found
        }
        return false
    }
}
