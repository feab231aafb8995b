package import Groundwork

/// Loads the value of one key from the source of truth.
public protocol Getter: Sendable {
    /// Starts the load of `flight.key` without blocking, and sees that the flight ends, now or later, on any thread.
    func load(_ flight: consuming Flight)
}

/// Hears how a flight ended.
package protocol OutcomeSink: AnyObject, Sendable {
    /// Called exactly once for each waiter that did not leave before; from any thread, never under a lock, and possibly
    /// before the lookup that made the waiter has returned to its caller's caller.
    func deliver(_ outcome: Outcome, token: UInt64)
}

/// One who waits for a flight: whom to tell, under which token, and until when it makes sense.
package struct Waiter: Sendable {
    let sink: any OutcomeSink
    let token: UInt64
    let deadline: Instant

    /// `token` is the sink's own name for what waits; `deadline` is when the waiter gives up (it has to
    /// `Group.leave(_:)` itself then).
    package init(_ sink: any OutcomeSink, token: UInt64, deadline: Instant) {
        self.sink = sink
        self.token = token
        self.deadline = deadline
    }
}
