import DequeModule
package import Groundwork
import Synchronization

/// A load that took long, and what it waited for. Times are in nanoseconds.
package struct SlowLoad: Sendable {
    /// Ascending from 0, in the order of their ends.
    package let id: Int
    package let group: String
    /// The beginning of the key, at most ``SlowLoads/keyLimit`` bytes; nil: it is not to be told.
    package let key: [UInt8]?
    /// When it ended.
    package let ended: Instant
    /// From the first caller's question to the end.
    package let total: Int64
    /// Its turn, behind the group's `max_loads`.
    package let queue: Int64
    /// A connection, once it was its turn. All of it, when the load was never sent.
    package let connection: Int64
    /// The answer, once it was sent.
    package let database: Int64
    /// Why it brought no answer; nil: it did.
    package let error: LoadError.Code?
}

/// The loads that took longer than a bound, the last of them: what Redis calls the slow log. Any thread.
package final class SlowLoads: Sendable {
    /// Which loads are kept, and how many.
    package struct Settings: Sendable, Equatable {
        /// Loads that took at least so long; nil: none.
        package var longerThan: Duration? = .milliseconds(100)
        /// So many of the last ones.
        package var keep = 128
        /// Whether their keys are left out.
        package var redactsKeys = false

        package init() {}
    }

    /// Of a key no more than this is kept.
    package static let keyLimit = 128

    private struct State {
        var settings: Settings
        var loads = Deque<SlowLoad>()
        var count = 0
    }

    /// In nanoseconds: what each load is compared with, without a lock.
    private let bound: Atomic<Int64>
    private let state: Groundwork.Mutex<State>

    package init(_ settings: Settings) {
        bound = Atomic(Self.bound(settings))
        state = Groundwork.Mutex(State(settings: settings))
    }

    /// Goes by other settings from now on; what was noted stays, as far as there is still room for it.
    package func apply(_ settings: Settings) {
        bound.store(Self.bound(settings), ordering: .relaxed)
        state.withLock { state in
            state.settings = settings
            if state.loads.count > settings.keep { state.loads.removeFirst(state.loads.count - settings.keep) }
        }
    }

    private static func bound(_ settings: Settings) -> Int64 { settings.longerThan?.wholeNanoseconds ?? .max }

    /// How many there were since the start, forgotten ones included.
    package var count: Int { state.withLock { $0.count } }
    /// How many are kept now.
    package var keptCount: Int { state.withLock { $0.loads.count } }

    /// Up to so many of the last ones, newest first.
    package func last(_ count: Int) -> [SlowLoad] {
        state.withLock { Array($0.loads.suffix(max(0, count)).reversed()) }
    }

    /// Forgets those that are kept.
    package func reset() {
        state.withLock { $0.loads.removeAll() }
    }

    /// Notes a load that ended at `now`, if it took long enough.
    func note(_ key: Key, of group: String, _ times: FlightTimes, _ outcome: Outcome, at now: Instant) {
        guard let asked = times.asked, now.nanoseconds - asked.nanoseconds >= bound.load(ordering: .relaxed) else {
            return
        }
        let started = times.started ?? now
        let sent = times.started == nil ? now : times.sent ?? now
        let error: LoadError.Code? =
            switch outcome {
            case .success: nil
            case .failure(let error): error.code
            }
        let text = Array(key.bytes.prefix(Self.keyLimit))
        state.withLock { state in
            guard state.settings.keep > 0 else { return }
            if state.loads.count >= state.settings.keep { state.loads.removeFirst() }
            state.loads.append(
                SlowLoad(
                    id: state.count, group: group, key: state.settings.redactsKeys ? nil : text, ended: now,
                    total: now.nanoseconds - asked.nanoseconds, queue: started.nanoseconds - asked.nanoseconds,
                    connection: sent.nanoseconds - started.nanoseconds, database: now.nanoseconds - sent.nanoseconds,
                    error: error))
            state.count += 1
        }
    }
}
