import Groundwork
import Singleflight
import Testing

/// What the flights of a few keys should be, as plainly as it can be said.
private struct Model {
    struct Flight {
        let key: Int
        var callers: Set<Int> = []
    }

    /// By number, in the order of their start.
    var flights: [Int: Flight] = [:]
    /// The flight of each key that newcomers join.
    var open: [Int: Int] = [:]
    var started = 0

    mutating func join(_ caller: Int, key: Int) {
        let number = open[key] ?? start(key)
        flights[number]?.callers.insert(caller)
    }

    private mutating func start(_ key: Int) -> Int {
        started += 1
        flights[started] = Flight(key: key)
        open[key] = started
        return started
    }

    mutating func leave(_ caller: Int) {
        for number in flights.keys { flights[number]?.callers.remove(caller) }
    }

    mutating func land(_ number: Int) -> Set<Int> {
        guard let flight = flights.removeValue(forKey: number) else { return [] }
        if open[flight.key] == number { open[flight.key] = nil }
        return flight.callers
    }

    func callerCount(of key: Int) -> Int { open[key].flatMap { flights[$0] }?.callers.count ?? 0 }
}

struct RandomScheduleTests {
    @Test(arguments: 1...6)
    func `callers, cancellations, forgetting and landings in random order agree with a model`(seed: UInt64) async throws
    {
        var random = SplitMix64(seed: seed)
        let flights = FlightGroup<Int, Int>()
        let work = NumberedWork()
        var model = Model()
        var callers: [Int: Task<String, Never>] = [:]
        for step in 0..<600 {
            let key = Int.random(in: 0..<4, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                callers[step] = Task { await words { try await flights.run(key) { try await work.run() } } }
                model.join(step, key: key)
                let (count, started) = (model.callerCount(of: key), model.started)
                try await eventually { flights.callerCount(of: key) == count && work.started == started }
            case 5..<7:
                guard let caller = callers.keys.sorted().randomElement(using: &random) else { continue }
                let task = callers.removeValue(forKey: caller)
                task?.cancel()
                #expect(await task?.value == "cancelled")
                model.leave(caller)
            case 7:
                #expect(flights.forget(key) == (model.open.removeValue(forKey: key) != nil))
            default:
                guard let number = model.flights.keys.sorted().randomElement(using: &random) else { continue }
                let served = model.land(number)
                let fails = Bool.random(using: &random)
                work.finish(number, fails ? .failure(WorkError(text: "\(number)")) : .success(number))
                for caller in served {
                    let task = callers.removeValue(forKey: caller)
                    let success = served.count > 1 ? "\(number), shared" : "\(number)"
                    #expect(await task?.value == (fails ? "error: \(number)" : success))
                }
                // A flight that had no callers lands unheard.
                let open = model.open
                try await eventually { (0..<4).allSatisfy { flights.isFlying($0) == (open[$0] != nil) } }
            }
            for key in 0..<4 { #expect(flights.callerCount(of: key) == model.callerCount(of: key)) }
        }
        for number in model.flights.keys { work.finish(number, .success(0)) }
        for task in callers.values { _ = await task.value }
    }

    @Test func `tasks that ask and cancel at once all return, and a key never runs twice at a time`() async throws {
        let flights = FlightGroup<Int, Int>()
        let running = (0..<3).map { _ in Counter() }
        await withTaskGroup(of: Void.self) { tasks in
            for seed in 1...8 {
                tasks.addTask {
                    var random = SplitMix64(seed: UInt64(seed))
                    for _ in 0..<500 {
                        let key = Int.random(in: 0..<3, using: &random)
                        let call = Task {
                            await words {
                                try await flights.run(key) {
                                    let others = running[key].add(1)
                                    await Task.yield()
                                    running[key].add(-1)
                                    return others
                                }
                            }
                        }
                        if Int.random(in: 0..<3, using: &random) == 0 { call.cancel() }
                        #expect(["0", "0, shared", "cancelled"].contains(await call.value))
                    }
                }
            }
        }
        // A flight that was left may still be on its way.
        try await eventually { running.allSatisfy { $0.count == 0 } }
    }
}

/// Work whose runs are numbered in the order of their start and end in any order.
private final class NumberedWork: Sendable {
    private struct State {
        var started = 0
        var held: [Int: CheckedContinuation<Int, any Error>] = [:]
    }

    private let state = Mutex(State())

    var started: Int { state.withLock { $0.started } }

    func run() async throws -> Int {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { state in
                state.started += 1
                state.held[state.started] = continuation
            }
        }
    }

    func finish(_ number: Int, _ outcome: Result<Int, any Error>) {
        state.withLock { $0.held.removeValue(forKey: number) }?.resume(with: outcome)
    }
}

private final class Counter: Sendable {
    private let number = Mutex(0)

    var count: Int { number.withLock { $0 } }

    /// Returns what it was before.
    @discardableResult
    func add(_ step: Int) -> Int {
        number.withLock { number in
            defer { number += step }
            return number
        }
    }
}
