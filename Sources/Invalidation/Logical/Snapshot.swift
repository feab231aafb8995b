import Groundwork

/// Which transactions a new query on a server sees, as `pg_current_snapshot()` tells it.
public struct Snapshot: Equatable, Sendable {
    /// All transactions below it have ended.
    public let oldest: UInt64
    /// All transactions from it on have not begun.
    public let next: UInt64
    /// Those between the two that are running, in ascending order. Subtransactions are not among them.
    public let running: [UInt64]

    /// Reads `xmin:xmax:xip,xip...`; nil when it is something else.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let oldest = UInt64(parts[0]), let next = UInt64(parts[1]), oldest <= next else {
            return nil
        }
        var running: [UInt64] = []
        for part in parts[2].split(separator: ",") {
            guard let transaction = UInt64(part), transaction >= oldest, transaction < next,
                running.last.map({ $0 < transaction }) ?? true
            else { return nil }
            running.append(transaction)
        }
        self.oldest = oldest
        self.next = next
        self.running = running
    }

    /// Whether what the transaction did is seen, or it did nothing: it has ended. O(log n) in those that run.
    ///
    /// - Parameter transaction: The lower half of its number, as `pgoutput` has it. PostgreSQL lets no two transactions be
    ///   alive whose numbers are 2^31 apart, so the whole number is the one that is nearest to the next.
    public func sees(_ transaction: UInt32) -> Bool {
        let distance = Int32(truncatingIfNeeded: transaction &- UInt32(truncatingIfNeeded: next))
        if distance >= 0 { return false }
        let (number, underflow) = next.subtractingReportingOverflow(UInt64(distance.magnitude))
        // Below the first transaction of all: there is none.
        if underflow { return false }
        if number < oldest { return true }
        return !runs(number)
    }

    private func runs(_ transaction: UInt64) -> Bool {
        let index = running.partitioningIndex { $0 >= transaction }
        return index < running.count && running[index] == transaction
    }
}
