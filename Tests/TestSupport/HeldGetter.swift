package import CacheCore
import Foundation
package import Groundwork

/// A getter that answers at once, by a rule, or holds the load until the test lets it go.
package final class HeldGetter: KeyedGetter {
    /// What happens to a load.
    package enum Answer: Sendable {
        case value(Value)
        case error(LoadError)
        case held

        /// A value of one text.
        package static func text(_ text: String) -> Answer { .value(Value(text: Array(text.utf8))) }
    }

    private struct State {
        var loaded: [String] = []
        var held: [HeldFlight] = []
    }

    package let keyParts: Int?
    private let rule: @Sendable (String) -> Answer
    private let state = Groundwork.Mutex(State())
    /// Signalled at each load.
    private let arrival = NSCondition()

    /// Holds every load unless `rule` says otherwise for its key.
    package init(keyParts: Int? = 1, _ rule: @escaping @Sendable (String) -> Answer = { _ in .held }) {
        self.keyParts = keyParts
        self.rule = rule
    }

    /// The keys that were loaded, in the order in which the loads began.
    package var loaded: [String] { state.withLock { $0.loaded } }
    /// The keys whose loads are held, in that order.
    package var held: [String] { state.withLock { $0.held.map(\.key) } }

    package func load(_ flight: consuming Flight) {
        let key = String(decoding: flight.key.bytes, as: UTF8.self)
        arrival.lock()
        defer {
            arrival.broadcast()
            arrival.unlock()
        }
        state.withLock { $0.loaded.append(key) }
        switch rule(key) {
        case .value(let value): flight.succeed(value)
        case .error(let error): flight.fail(error)
        case .held:
            let held = HeldFlight(flight, key: key)
            state.withLock { $0.held.append(held) }
        }
    }

    /// Takes out the oldest load that is held, for the test to end; nil when none is.
    package func next() -> HeldFlight? { take(0) }

    /// Takes out one of the loads that are held, by its index in ``held``.
    package func take(_ index: Int) -> HeldFlight? {
        state.withLock { $0.held.indices.contains(index) ? $0.held.remove(at: index) : nil }
    }

    /// Ends the oldest held load of a key, waiting for it to begin. False when none began within two minutes.
    package func finish(_ key: String, _ outcome: Outcome) -> Bool {
        let held = wait { state in
            state.held.firstIndex { $0.key == key }.map { state.held.remove(at: $0) }
        }
        held?.end(outcome)
        return held != nil
    }

    /// The same with a value of one text.
    package func finish(_ key: String, _ text: String) -> Bool {
        finish(key, .success(Value(text: Array(text.utf8))))
    }

    /// Waits until so many loads began. False when they don't within two minutes.
    package func waitForLoads(_ count: Int) -> Bool {
        wait { $0.loaded.count >= count ? true : nil } ?? false
    }

    /// Whether anybody waits for the load of a key that is held.
    package func isWanted(_ key: String) -> Bool {
        state.withLock { state in state.held.first { $0.key == key } }?.isWanted(at: .now()) ?? false
    }

    /// Waits for a load that makes `found` say something; nil after two minutes.
    private func wait<Found>(for found: (inout State) -> Found?) -> Found? {
        arrival.lock()
        defer { arrival.unlock() }
        let deadline = Date(timeIntervalSinceNow: 120)
        while true {
            if let found = state.withLock({ found(&$0) }) { return found }
            if !arrival.wait(until: deadline) { return nil }
        }
    }
}

/// A flight in a box, since it can't be copied into a container. What it was ended with first counts.
package final class HeldFlight: Sendable {
    /// The key that is loaded.
    package let key: String
    private let flight: Groundwork.Mutex<Flight?>

    init(_ flight: consuming Flight, key: String) {
        self.key = key
        self.flight = Groundwork.Mutex(flight)
    }

    /// Whether anybody waits for it then, or it is a refresh.
    package func isWanted(at now: Instant) -> Bool {
        flight.withLock { flight in
            guard let taken = flight.take() else { return false }
            let isWanted = taken.isWanted(at: now)
            flight = consume taken
            return isWanted
        }
    }

    /// Ends it with a value of one text.
    package func succeed(_ text: String) { succeed(Value(text: Array(text.utf8))) }
    /// Ends it with a value.
    package func succeed(_ value: Value) { taken()?.succeed(value) }
    /// Ends it with an error.
    package func fail(_ error: LoadError) { taken()?.fail(error) }

    /// Ends it.
    package func end(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): succeed(value)
        case .failure(let error): fail(error)
        }
    }

    /// Lets go of it without ending it, as a getter with a mistake would.
    package func drop() { _ = taken() }

    private func taken() -> Flight? { flight.withLock { $0.take() } }
}
