import Singleflight

/// Which form of a value is wanted.
package enum Form: Sendable {
    /// The text.
    case text
    /// ``Value/fields``.
    case fields
    /// Nothing but whether there is one.
    case none
    /// All of it, by reference: a hit is `.large` whatever its length.
    case whole
}

/// How memory answered.
package enum Hit: Sendable {
    /// The form that was wanted has been appended to the caller's output.
    case copied
    /// There is no such row, as the source said not long ago.
    case negative
    /// The value is too long to be copied under the lock, or did not fit the output: the caller copies it.
    case large(Value)

    /// The value of a hit that was asked for as a whole.
    package var value: Value {
        switch self {
        case .large(let value): value
        case .copied, .negative: .missing
        }
    }
}

/// How a lookup was decided, in one atomic step.
package enum Lookup: ~Copyable, Sendable {
    /// From memory.
    case hit(Hit)
    /// From memory, and it is time to reload: the caller hands the flight to ``Group/load(_:)``. Nobody waits for it.
    case refreshes(Hit, Flight)
    /// The waiter waits for a load that somebody else started.
    case follows(Ticket)
    /// The waiter waits for a load that the caller has to start: hand the flight to ``Group/load(_:)``.
    case leads(Flight, Ticket)
    /// As many callers wait already as may: this one does not.
    case refused(LoadError)
}

/// What a waiter leaves its flight with.
package struct Ticket: Sendable {
    let seat: Seat<Waiter>
    let shard: Int
}

/// How long an entry has left.
package enum Lifetime: Sendable, Equatable {
    /// No such entry is in memory.
    case absent
    /// It has no limit.
    case unlimited
    /// It expires after this time.
    case left(Duration)
}
