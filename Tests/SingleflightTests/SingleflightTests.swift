import Groundwork
import Singleflight
import Testing

struct SingleflightTests {
    private let flights = FlightGroup<String, Int>()
    private let work = HeldWork<Int>()

    /// A task that asks for `key`, which has joined its flight when this returns.
    private func caller(_ key: String = "k") async throws -> Task<String, Never> {
        let count = flights.callerCount(of: key)
        let task = Task { await words { try await flights.run(key) { try await work.run() } } }
        try await eventually { flights.callerCount(of: key) == count + 1 }
        return task
    }

    // MARK: One run

    @Test func `a thousand callers cost one run and get its answer`() async throws {
        let callers = (0..<1000).map { _ in
            Task { await words { try await flights.run("k") { try await work.run() } } }
        }
        try await eventually { flights.callerCount(of: "k") == 1000 }
        try await work.finish(.success(7))
        for caller in callers { #expect(await caller.value == "7, shared") }
        #expect(work.runs == 1)
    }

    @Test func `a caller alone is told that the answer is not shared`() async throws {
        let caller = try await caller()
        try await work.finish(.success(7))
        #expect(await caller.value == "7")
    }

    @Test func `after the landing the next caller starts a new flight`() async throws {
        for answer in 1...3 {
            let caller = try await caller()
            try await work.finish(.success(answer))
            #expect(await caller.value == "\(answer)")
        }
        #expect(work.runs == 3)
    }

    @Test func `an error reaches all, and the next caller asks again`() async throws {
        let callers = [try await caller(), try await caller(), try await caller()]
        try await work.finish(.failure(WorkError(text: "no connection")))
        for caller in callers { #expect(await caller.value == "error: no connection") }
        let next = try await caller()
        try await work.finish(.success(1))
        #expect(await next.value == "1")
        #expect(work.runs == 2)
    }

    @Test func `keys don't wait for one another`() async throws {
        let held = try await caller("held")
        let answer = try await flights.run("other") { 2 }
        #expect(answer == (2, false))
        try await work.finish(.success(1))
        #expect(await held.value == "1")
    }

    @Test func `work may ask for another key`() async throws {
        let inner = try await caller("inner")
        let outer = Task {
            await words { try await flights.run("outer") { try await flights.run("inner") { -1 }.value * 10 } }
        }
        try await eventually { flights.callerCount(of: "inner") == 2 }
        try await work.finish(.success(4))
        #expect(await inner.value == "4, shared")
        #expect(await outer.value == "40")
    }

    // MARK: Cancellation

    @Test func `cancelling the leader does not fail its followers`() async throws {
        let leader = try await caller()
        let followers = [try await caller(), try await caller()]
        leader.cancel()
        #expect(await leader.value == "cancelled")
        #expect(flights.callerCount(of: "k") == 2)
        try await work.finish(.success(7))
        for follower in followers { #expect(await follower.value == "7, shared") }
        #expect(work.runs == 1)
    }

    @Test func `a cancelled follower returns before the landing, and the others don't notice`() async throws {
        let leader = try await caller()
        let follower = try await caller()
        follower.cancel()
        #expect(await follower.value == "cancelled")
        try await work.finish(.success(7))
        #expect(await leader.value == "7")
    }

    @Test func `a flight that all callers left completes, and newcomers join it`() async throws {
        let leader = try await caller()
        leader.cancel()
        #expect(await leader.value == "cancelled")
        #expect(flights.callerCount(of: "k") == 0)
        let newcomer = try await caller()
        try await work.finish(.success(7))
        #expect(await newcomer.value == "7")
        #expect(work.runs == 1)
    }

    @Test func `one who is cancelled already starts nothing`() async throws {
        let gate = HeldWork<Void>()
        let caller = Task {
            try? await gate.run()
            return await words { try await flights.run("k") { try await work.run() } }
        }
        caller.cancel()
        try await gate.finish(.success(()))
        #expect(await caller.value == "cancelled")
        #expect(work.runs == 0)
    }

    @Test func `the work is not cancelled with its leader`() async throws {
        let gate = HeldWork<Void>()
        let leader = Task {
            await words {
                try await flights.run("k") {
                    try? await gate.run()
                    return Task.isCancelled ? 1 : 0
                }
            }
        }
        try await eventually { flights.callerCount(of: "k") == 1 }
        let follower = try await caller()
        leader.cancel()
        #expect(await leader.value == "cancelled")
        try await gate.finish(.success(()))
        #expect(await follower.value == "0")
    }

    // MARK: Results to await later

    @Test func `a result may be awaited by many, before the landing and after, and counts as one caller`() async throws
    {
        let result = flights.begin("k") { try await work.run() }
        let before = (0..<10).map { _ in Task { await words { try await result.answer } } }
        try await work.finish(.success(7))
        for task in before { #expect(await task.value == "7") }
        #expect(try await result.value == 7)
    }

    @Test func `one who awaits a result and is cancelled leaves it to the others`() async throws {
        let result = flights.begin("k") { try await work.run() }
        let patient = Task { await words { try await result.answer } }
        let hasty = Task { await words { try await result.answer } }
        hasty.cancel()
        #expect(await hasty.value == "cancelled")
        try await work.finish(.success(7))
        #expect(await patient.value == "7")
    }

    @Test func `a result that nobody awaits hinders nobody`() async throws {
        _ = flights.begin("k") { try await work.run() }
        let caller = try await caller()
        try await work.finish(.success(7))
        #expect(await caller.value == "7, shared")
    }

    // MARK: Forget

    @Test func `after forget a newcomer starts anew, and each flight brings its own answer`() async throws {
        let early = try await caller()
        try await eventually { work.heldCount == 1 }
        #expect(flights.forget("k"))
        #expect(!flights.forget("k"))
        let late = try await caller()
        try await eventually { work.heldCount == 2 }
        try await work.finish(.success(1))
        #expect(await early.value == "1")
        #expect(flights.callerCount(of: "k") == 1)
        let later = try await caller()
        try await work.finish(.success(2))
        #expect(await late.value == "2, shared")
        #expect(await later.value == "2, shared")
    }

    // MARK: Work without an answer

    @Test func `work that was cancelled fails its flight with an error that is not the callers' own cancellation`()
        async throws
    {
        let callers = [try await caller(), try await caller()]
        try await work.finish(.failure(CancellationError()))
        for caller in callers { #expect(await caller.value == "error: the work was cancelled") }
    }

    @Test func `dropping the duty to end a flight fails it`() async throws {
        let duty = Duty()
        let result = flights.join("k") { flight in
            let key = flight.key
            #expect(key == "k")
            duty.keep(flight)
        }
        let follower = try await caller()
        duty.drop()
        #expect(await words { try await result.answer } == "error: the work ended without an answer")
        #expect(await follower.value == "error: the work ended without an answer")
        #expect(try await flights.run("k") { 3 } == (3, false))
    }

    @Test func `work in terms of callbacks ends its flight once, from anywhere`() async throws {
        let duty = Duty()
        let result = flights.join("k") { duty.keep($0) }
        let follower = flights.join("k") { _ in Issue.record("a second flight was started") }
        await Task.detached { duty.succeed(5) }.value
        #expect(try await result.answer == (5, true))
        #expect(try await follower.answer == (5, true))

        let failing = flights.join("k") { $0.fail(WorkError(text: "refused")) }
        #expect(await words { try await failing.answer } == "error: refused")
    }
}
