public import Groundwork

/// Loads the value of one key from the source of truth.
public protocol Getter: Sendable {
    /// How many parts (separated by `:`) a key has; nil while that is not known, or when any number will do.
    var keyParts: Int? { get }

    /// Starts the load of `flight.key` without blocking, and sees that the flight ends, now or later, on any thread.
    func load(_ flight: consuming Flight)
}

extension Getter {
    /// Any number of parts.
    public var keyParts: Int? { nil }
}

/// Hears how a flight ended.
public protocol OutcomeSink: AnyObject, Sendable {
    /// Called exactly once for each waiter that did not leave before; from any thread, never under a lock, and possibly
    /// before the lookup that made the waiter has returned to its caller's caller.
    func deliver(_ outcome: Outcome, token: UInt64)
}

/// One who waits for a flight: whom to tell, under which token, and until when it makes sense.
public struct Waiter: Sendable {
    let sink: any OutcomeSink
    let token: UInt64
    let deadline: Instant

    /// `token` is the sink's own name for what waits; `deadline` is when the waiter gives up (it has to
    /// ``Group/leave(_:)`` itself then).
    public init(_ sink: any OutcomeSink, token: UInt64, deadline: Instant) {
        self.sink = sink
        self.token = token
        self.deadline = deadline
    }
}
