import CacheCore
import Foundation
import Groundwork

/// A getter that answers at once, by a rule, or holds the load until the test lets it go.
final class HeldGetter: Getter {
    /// What happens to a load.
    enum Answer: Sendable {
        case value(Value)
        case error(LoadError)
        case held

        static func text(_ text: String) -> Answer { .value(Value(text: Array(text.utf8))) }
    }

    let keyParts: Int?
    private let rule: @Sendable (String) -> Answer
    private let state = Groundwork.Mutex<[String: [HeldFlight]]>([:])
    private let loads = Groundwork.Mutex<[String]>([])
    private let arrival = NSCondition()

    init(keyParts: Int? = 1, _ rule: @escaping @Sendable (String) -> Answer = { _ in .held }) {
        self.keyParts = keyParts
        self.rule = rule
    }

    /// The keys that were loaded, in the order in which the loads began.
    var loaded: [String] { loads.withLock { $0 } }

    func load(_ flight: consuming Flight) {
        let key = String(decoding: flight.key.bytes, as: UTF8.self)
        arrival.lock()
        defer {
            arrival.broadcast()
            arrival.unlock()
        }
        loads.withLock { $0.append(key) }
        switch rule(key) {
        case .value(let value): flight.succeed(value)
        case .error(let error): flight.fail(error)
        case .held:
            let held = HeldFlight(flight)
            state.withLock { $0[key, default: []].append(held) }
        }
    }

    /// Ends the load of a key that is held, waiting for it to begin. False when none began within ten seconds.
    func finish(_ key: String, _ outcome: Outcome) -> Bool {
        guard let held = take(key) else { return false }
        held.end(outcome)
        return true
    }

    func finish(_ key: String, _ text: String) -> Bool {
        finish(key, .success(Value(text: Array(text.utf8))))
    }

    /// Waits until so many loads began.
    func waitForLoads(_ count: Int) -> Bool {
        arrival.lock()
        defer { arrival.unlock() }
        let deadline = Date(timeIntervalSinceNow: 10)
        while loaded.count < count {
            if !arrival.wait(until: deadline) { return false }
        }
        return true
    }

    /// Whether anybody waits for the load of a key that is held.
    func isWanted(_ key: String) -> Bool {
        state.withLock { $0[key]?.first }?.isWanted ?? false
    }

    private func take(_ key: String) -> HeldFlight? {
        arrival.lock()
        defer { arrival.unlock() }
        let deadline = Date(timeIntervalSinceNow: 10)
        while true {
            let held: HeldFlight? = state.withLock { state in
                guard let first = state[key]?.first else { return nil }
                state[key]?.removeFirst()
                return first
            }
            if let held { return held }
            if !arrival.wait(until: deadline) { return nil }
        }
    }
}

/// A flight in a box, since it can't be copied into a container.
private final class HeldFlight: Sendable {
    private let flight: Groundwork.Mutex<Flight?>

    init(_ flight: consuming Flight) {
        self.flight = Groundwork.Mutex(flight)
    }

    var isWanted: Bool {
        flight.withLock { flight in
            guard let taken = flight.take() else { return false }
            let isWanted = taken.isWanted(at: .now())
            flight = consume taken
            return isWanted
        }
    }

    func end(_ outcome: Outcome) {
        guard let flight = flight.withLock({ $0.take() }) else { return }
        switch outcome {
        case .success(let value): flight.succeed(value)
        case .failure(let error): flight.fail(error)
        }
    }
}
