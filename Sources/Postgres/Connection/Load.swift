import CacheCore
import Groundwork

/// One run of a getter, from the moment it was asked for until its flight has ended.
struct Load: ~Copyable, Sendable {
    /// Whose SQL is run.
    let getter: QueryGetter
    /// The getter's place among those of its database.
    let place: Int
    /// The parameters.
    let parts: KeyParts
    /// Nanoseconds that the database has for it.
    let timeout: Int64
    private var flight: Flight

    /// Whether it was sent a second time. It is not sent a third time, whatever the reason.
    var isRetry = false
    /// Whether it is sent in a segment of its own, because it was in one that broke off.
    var isAlone = false
    /// Whether another loop's pool handed it over. It is not handed on.
    var isHandedOver = false

    init(of getter: QueryGetter, place: Int, parts: KeyParts, flight: consuming Flight) {
        self.getter = getter
        self.place = place
        self.parts = parts
        timeout = flight.group.loadTimeout.wholeNanoseconds
        self.flight = flight
    }

    /// About what it takes in a message to the server: the key, and a few names and lengths.
    var byteCount: Int { parts.byteCount + 160 }

    /// Whether anybody still waits for it.
    func isWanted(at now: Instant) -> Bool {
        flight.isWanted(at: now)
    }

    /// Ends it.
    consuming func end(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): flight.succeed(value)
        case .failure(let error): flight.fail(error)
        }
    }

    /// Ends it with the error that `error` makes of the group's name.
    consuming func fail(_ error: (_ group: String) -> LoadError) {
        flight.fail(error(getter.name))
    }
}

/// Carries something that cannot be copied into a closure that runs later, on another thread.
final class Parcel<Content: ~Copyable & Sendable>: Sendable {
    private let content: Groundwork.Mutex<Content?>

    init(_ content: consuming Content) {
        self.content = Mutex(content)
    }

    /// What was sent; nil when it was taken before.
    func take() -> Content? {
        content.withLock { $0.take() }
    }
}
