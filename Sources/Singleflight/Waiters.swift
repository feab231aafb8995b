/// Those who wait for one flight, in the order of their coming. Most flights have one, which takes no memory of its own.
public struct Waiters<Waiter> {
    @usableFromInline var first: Waiter?
    /// Empty without a first one.
    @usableFromInline var others: [Waiter] = []

    @inlinable
    init(_ first: Waiter?) {
        self.first = first
    }

    /// How many they are.
    @inlinable public var count: Int { first == nil ? 0 : 1 + others.count }

    /// All of them.
    public var all: [Waiter] { (first.map { [$0] } ?? []) + others }

    /// Calls `body` with each of them.
    @inlinable
    public func forEach(_ body: (Waiter) throws -> Void) rethrows {
        guard let first else { return }
        try body(first)
        for other in others { try body(other) }
    }

    @inlinable
    mutating func append(_ waiter: Waiter) {
        if first == nil { first = waiter } else { others.append(waiter) }
    }

    @inlinable
    mutating func removeAll(where leaves: (Waiter) -> Bool) {
        others.removeAll(where: leaves)
        if let first, leaves(first) { self.first = others.isEmpty ? nil : others.removeFirst() }
    }

    @inlinable
    func contains(where predicate: (Waiter) -> Bool) -> Bool {
        guard let first else { return false }
        return predicate(first) || others.contains(where: predicate)
    }
}

extension Waiters: Sendable where Waiter: Sendable {}
