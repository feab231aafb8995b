import Groundwork

@testable import TypedCache

typealias StringCache = LoadingCache<String, String>

/// A clock that the test moves.
final class MovedClock: Clock {
    struct Instant: InstantProtocol {
        var offset: Duration = .zero

        func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        func duration(to other: Instant) -> Duration { other.offset - offset }
        static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    private struct State {
        var now = Instant(offset: .seconds(1000))
        var sleepers: [UInt64: (deadline: Instant, continuation: CheckedContinuation<Void, any Error>)] = [:]
        var lastNumber: UInt64 = 0
    }

    private let state = Mutex(State())

    var now: Instant { state.withLock { $0.now } }
    var minimumResolution: Duration { .nanoseconds(1) }
    /// How many sleep.
    var sleeperCount: Int { state.withLock { $0.sleepers.count } }

    func advance(_ duration: Duration) {
        let due = state.withLock { state in
            state.now = state.now.advanced(by: duration)
            let due = state.sleepers.filter { $0.value.deadline <= state.now }
            for number in due.keys { state.sleepers[number] = nil }
            return due.values.map(\.continuation)
        }
        for continuation in due { continuation.resume() }
    }

    func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let early: Result<Void, any Error>? = state.withLock { state in
                    if Task.isCancelled { return .failure(CancellationError()) }
                    if deadline <= state.now { return .success(()) }
                    state.sleepers[number] = (deadline, continuation)
                    return nil
                }
                if let early { continuation.resume(with: early) }
            }
        } onCancel: {
            state.withLock { $0.sleepers.removeValue(forKey: number) }?.continuation.resume(
                throwing: CancellationError())
        }
    }
}

/// A getter that holds its loads until the test lets them go.
final class HeldGetter<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private struct State {
        var runs = 0
        var held: [(key: Key, continuation: CheckedContinuation<Value?, any Error>)] = []
    }

    private let state = Mutex(State())

    /// How many loads were started.
    var runs: Int { state.withLock { $0.runs } }
    /// Keys whose loads are held, in the order of their start.
    var held: [Key] { state.withLock { $0.held.map(\.key) } }

    func load(_ key: Key) async throws -> Value? {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                state.runs += 1
                state.held.append((key, continuation))
            }
        }
    }

    /// Ends the oldest load of a key, once there is one.
    func end(_ key: Key, _ outcome: Result<Value?, any Error>) async throws {
        try await eventually { self.held.contains(key) }
        let continuation = state.withLock { state in
            state.held.firstIndex { $0.key == key }.map { state.held.remove(at: $0).continuation }
        }
        continuation?.resume(with: outcome)
    }
}

/// A getter that counts its runs and answers at once: with the number of the run for the key.
final class CountingGetter: Sendable {
    private let counts = Mutex<[String: Int]>([:])

    func load(_ key: String) -> String? {
        counts.withLock { counts in
            counts[key, default: 0] += 1
            return "\(key)\(counts[key] ?? 0)"
        }
    }

    var total: Int { counts.withLock { $0.values.reduce(0, +) } }
}

/// Collects what happens, in words.
final class Diary: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }
}

struct SourceError: Error, Equatable {
    let text: String
}

/// What did not happen in time.
struct DeadlineError: Error {}

/// Waits for `condition`, at most half a minute.
func eventually(_ condition: @Sendable () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(120)
    while !condition() {
        guard ContinuousClock.now < deadline else { throw DeadlineError() }
        await Task.yield()
    }
}

/// How a lookup ended, in words.
func words(_ call: @Sendable () async throws -> String?) async -> String {
    do {
        return try await call() ?? "none"
    } catch is CancellationError {
        return "cancelled"
    } catch let error as SourceError {
        return "error: \(error.text)"
    } catch {
        return "error: \(error)"
    }
}

extension LoadingCache {
    /// A caller in a task of its own, which waits for its load before this returns.
    func caller(of key: Key) async throws -> Task<Value?, any Error> {
        let before = callerCount(of: key)
        let task = Task { try await self.get(key) }
        try await eventually { self.callerCount(of: key) == before + 1 }
        return task
    }
}
