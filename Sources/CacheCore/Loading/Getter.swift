package import Groundwork

/// Loads the value of one key from the source of truth.
public protocol Getter: Sendable {
    /// How many parts (separated by `:`) a key has; nil while that is not known, or when any number will do.
    var keyParts: Int? { get }

    /// Starts the load of `flight.key` without blocking, and sees that the flight ends, now or later, on any thread.
    func load(_ flight: consuming Flight)

    /// What knows the texts of keys, where one value may be asked for under several; nil where each text is a key of its own.
    /// Always the same, and alive as long as the getter.
    var spelling: KeySpelling? { get }
}

extension Getter {
    /// Any number of parts.
    public var keyParts: Int? { nil }

    /// Each text is a key of its own.
    public var spelling: KeySpelling? { nil }
}

/// Knows the one text under which what a key stands for is kept, however the key is spelled: `7` for `007`.
///
/// A group that hears of changes hears of them under that text, so nothing may be kept under another. The getter sees to that
/// (``Value/transient()``); who looks up asks for the text first, so that every spelling finds what is kept. Any thread may ask.
///
/// A class to inherit from and not a protocol, so that each lookup can ask without counting a reference: all loops would share
/// the count.
open class KeySpelling: @unchecked Sendable {
    // Unchecked, as it may be inherited from; there is nothing in it, and subclasses say how they are safe.

    /// For subclasses.
    public init() {}

    /// Whether what is loaded for `key` may be kept under it. A few nanoseconds where it is so.
    open func isOwn(_ key: UnsafeRawBufferPointer) -> Bool { true }

    /// The other text under which it is kept; nil when that is `key`, or is not known.
    open func rewritten(_ key: UnsafeRawBufferPointer) -> [UInt8]? { nil }
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
