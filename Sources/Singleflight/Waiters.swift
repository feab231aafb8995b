/// Those who wait for one flight, in the order of their arrival. Most flights have one, which takes no memory of its own.
///
/// Coming and leaving are O(1): whoever comes gets a slot in a linked list, and slots of those who left are used again.
public struct Waiters<Waiter> {
    /// Without a waiter: vacant, `next` is the next vacant one.
    @usableFromInline
    struct Slot {
        @usableFromInline var waiter: Waiter?
        /// Whose slot it is: that of one who left may be another's by now.
        @usableFromInline var number: UInt32
        @usableFromInline var previous: UInt32
        @usableFromInline var next: UInt32

        @inlinable
        init(_ waiter: Waiter, number: UInt32, previous: UInt32) {
            self.waiter = waiter
            self.number = number
            self.previous = previous
            next = .none
        }
    }

    /// How many they are.
    @inlinable public var count: Int { total }
    @usableFromInline var total = 0
    /// The one who came while nobody else waited.
    @usableFromInline var first: Waiter?
    @usableFromInline var firstNumber: UInt32 = 0
    @usableFromInline var slots: [Slot] = []
    @usableFromInline var oldest = UInt32.none
    @usableFromInline var newest = UInt32.none
    @usableFromInline var vacant = UInt32.none
    @usableFromInline var lastNumber: UInt32 = 0

    @inlinable
    init() {}

    /// All of them.
    public var all: [Waiter] {
        var all: [Waiter] = []
        forEach { all.append($0) }
        return all
    }

    /// Calls `body` with each of them.
    @inlinable
    public func forEach(_ body: (Waiter) throws -> Void) rethrows {
        if let first { try body(first) }
        var index = oldest
        while index != .none {
            let slot = slots[Int(index)]
            if let waiter = slot.waiter { try body(waiter) }
            index = slot.next
        }
    }

    /// Whether `predicate` holds for one of them. Asks the newest first, who most likely waits longest.
    @inlinable
    func contains(where predicate: (Waiter) -> Bool) -> Bool {
        var index = newest
        while index != .none {
            let slot = slots[Int(index)]
            if let waiter = slot.waiter, predicate(waiter) { return true }
            index = slot.previous
        }
        return first.map(predicate) ?? false
    }

    /// Adds one, and returns by what ``remove(_:)`` finds it.
    @inlinable
    mutating func append(_ waiter: Waiter) -> WaiterSlot {
        lastNumber &+= 1
        defer { total += 1 }
        guard count > 0 else {
            first = waiter
            firstNumber = lastNumber
            return WaiterSlot(index: .none, number: lastNumber)
        }
        let slot = Slot(waiter, number: lastNumber, previous: newest)
        let index: UInt32
        if vacant == .none {
            index = UInt32(truncatingIfNeeded: slots.count)
            slots.append(slot)
        } else {
            index = vacant
            vacant = slots[Int(index)].next
            slots[Int(index)] = slot
        }
        if newest == .none { oldest = index } else { slots[Int(newest)].next = index }
        newest = index
        return WaiterSlot(index: index, number: lastNumber)
    }

    /// Takes one out. Returns whether it was still there.
    @inlinable
    mutating func remove(_ waiter: WaiterSlot) -> Bool {
        guard waiter.index != .none else {
            guard first != nil, firstNumber == waiter.number else { return false }
            first = nil
            total -= 1
            return true
        }
        let index = Int(waiter.index)
        guard index < slots.count, slots[index].number == waiter.number, slots[index].waiter != nil else {
            return false
        }
        let (previous, next) = (slots[index].previous, slots[index].next)
        if previous == .none { oldest = next } else { slots[Int(previous)].next = next }
        if next == .none { newest = previous } else { slots[Int(next)].previous = previous }
        slots[index].waiter = nil
        slots[index].next = vacant
        vacant = waiter.index
        total -= 1
        return true
    }
}

extension Waiters: Sendable where Waiter: Sendable {}
extension Waiters.Slot: Sendable where Waiter: Sendable {}

/// Where a waiter is among those of its flight.
@usableFromInline
struct WaiterSlot: Sendable {
    /// None: it is the first one.
    @usableFromInline let index: UInt32
    @usableFromInline let number: UInt32

    @inlinable
    init(index: UInt32, number: UInt32) {
        self.index = index
        self.number = number
    }
}

extension UInt32 {
    /// No slot.
    @usableFromInline static var none: UInt32 { .max }
}
