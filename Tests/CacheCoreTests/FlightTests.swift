import CacheCore
import Groundwork
import Testing

import func TestSupport.threadTime

struct FlightTests {
    private let getter = HeldGetter()
    private let bench: Bench

    init() throws {
        bench = try Bench(getter: getter)
    }

    @Test func `a thousand callers of one cold key cost one load and get equal answers`() {
        #expect(bench.get("k", token: 0) == "leads")
        for token in 1..<1000 { #expect(bench.get("k", token: UInt64(token)) == "follows") }
        #expect(getter.held == ["k"])
        getter.next()?.succeed("v")
        for token in 0..<1000 { #expect(bench.outcomes[UInt64(token)] == ["v"]) }
        #expect(bench.get("k") == "v")
        #expect(bench.group.statistics.loads == 1)
        #expect(bench.group.statistics.sharedLoads == 1)
        #expect(getter.held.isEmpty)
    }

    @Test func `the same at expiry`() {
        bench.get("k")
        getter.next()?.succeed("old")
        bench.clock.advance(.seconds(61))
        #expect(bench.get("k", token: 1) == "leads")
        #expect(bench.get("k", token: 2) == "follows")
        getter.next()?.succeed("new")
        #expect(bench.outcomes[1] == ["new"])
        #expect(bench.outcomes[2] == ["new"])
        #expect(getter.held.isEmpty)
    }

    @Test func `a lookup right after the landing is a hit: two lookups never load one after the other`() {
        // Each step of two callers, in each order: with one lock there is no step between looking and joining, so the
        // second caller either joins the flight or hits what it brought.
        for landsBetween in [false, true] {
            let key = "k\(landsBetween)"
            #expect(bench.get(key, token: 1) == "leads")
            if landsBetween { getter.next()?.succeed("v") }
            #expect(bench.get(key, token: 2) == (landsBetween ? "v" : "follows"))
            if !landsBetween { getter.next()?.succeed("v") }
            #expect(getter.held.isEmpty)
        }
        #expect(bench.group.statistics.loads == 2)
    }

    @Test func `an error reaches all as the same text, is not cached, and the next caller asks again`() {
        bench.get("k", token: 1)
        bench.get("k", token: 2)
        getter.next()?.fail(LoadError(.query, "refused"))
        #expect(bench.outcomes[1] == ["error: refused"])
        #expect(bench.outcomes[2] == ["error: refused"])
        #expect(bench.get("k", token: 3) == "leads")
        #expect(bench.group.statistics.loadErrors == 1)
    }

    @Test func `the leader leaves and the followers still get the answer, which is kept`() throws {
        let ticket = try #require(bench.lookup("k", token: 1).1)
        bench.get("k", token: 2)
        bench.group.leave(ticket)
        let flight = try #require(getter.next())
        #expect(flight.isWanted(at: bench.clock.now))
        flight.succeed("v")
        #expect(bench.outcomes[1].isEmpty)
        #expect(bench.outcomes[2] == ["v"])
        #expect(bench.get("k") == "v")
    }

    @Test func `a flight whose every waiter left is not wanted, but fills the cache when it completes`() throws {
        let ticket = try #require(bench.lookup("k", token: 1).1)
        bench.group.leave(ticket)
        let flight = try #require(getter.next())
        #expect(!flight.isWanted(at: bench.clock.now))
        flight.succeed("v")
        #expect(bench.get("k") == "v")
    }

    @Test func `a flight is not wanted when the deadline of each waiter has passed`() throws {
        bench.get("k", token: 1, deadline: .seconds(1))
        bench.get("k", token: 2, deadline: .seconds(3))
        let flight = try #require(getter.next())
        bench.clock.advance(.seconds(2))
        #expect(flight.isWanted(at: bench.clock.now))
        bench.clock.advance(.seconds(2))
        #expect(!flight.isWanted(at: bench.clock.now))
    }

    @Test func `a flight that is dropped fails instead of hanging its waiters`() {
        bench.get("k", token: 1)
        bench.get("k", token: 2)
        getter.next()?.drop()
        #expect(bench.outcomes[1] == ["error: g: the load ended without an answer"])
        #expect(bench.outcomes[2] == bench.outcomes[1])
        #expect(bench.get("k", token: 3) == "leads")
    }

    // MARK: The fence

    @Test func `an invalidation fences the flight: those who wait get it, nobody after, and it is not kept`() throws {
        bench.get("k", token: 1)
        let old = try #require(getter.next())
        #expect(bench.invalidate("k"))
        #expect(bench.get("k", token: 2) == "leads")
        let new = try #require(getter.next())
        old.succeed("old")
        #expect(bench.outcomes[1] == ["old"])
        #expect(bench.outcomes[2].isEmpty)
        #expect(bench.peek("k") == nil)
        new.succeed("new")
        #expect(bench.outcomes[2] == ["new"])
        #expect(bench.get("k") == "new")
        #expect(bench.group.statistics.fenced == 1)
    }

    @Test func `a fenced flight that lands last does not replace the newer value`() throws {
        bench.get("k", token: 1)
        let old = try #require(getter.next())
        bench.invalidate("k")
        bench.get("k", token: 2)
        getter.next()?.succeed("new")
        old.succeed("old")
        #expect(bench.get("k") == "new")
    }

    @Test func `a fenced flight that fails does not fail its successor`() throws {
        bench.get("k", token: 1)
        let old = try #require(getter.next())
        bench.invalidate("k")
        bench.get("k", token: 2)
        old.fail(LoadError(.timedOut, "late"))
        #expect(bench.outcomes[2].isEmpty)
        #expect(bench.get("k", token: 3) == "follows")
        getter.next()?.succeed("new")
        #expect(bench.outcomes[3] == ["new"])
    }

    @Test func `a value that is put in while a load is under way is not replaced by what that brings`() throws {
        bench.get("k", token: 1)
        let old = try #require(getter.next())
        #expect(bench.insertIfAbsent("k", "put in"))
        #expect(bench.get("k") == "put in")
        old.succeed("old")
        #expect(bench.outcomes[1] == ["old"])
        #expect(bench.get("k") == "put in")
        #expect(bench.group.statistics.fenced == 1)
    }

    @Test func `a value that is not put in, as there is one, fences nothing`() throws {
        bench.get("k")
        getter.next()?.succeed("old")
        #expect(bench.refresh("k", token: 1) == "leads")
        #expect(!bench.insertIfAbsent("k", "put in"))
        getter.next()?.succeed("new")
        #expect(bench.get("k") == "new")
    }

    // MARK: Many who wait

    @Test func `65,535 waiters of one key leave in milliseconds, in any order`() throws {
        let tickets = try (0..<65_535).map { try #require(bench.lookup("k", token: UInt64($0)).1) }
        let began = threadTime()
        for ticket in tickets.shuffled() { bench.group.leave(ticket) }
        // Some milliseconds; with a search for each it was seconds in a release build.
        #expect(threadTime() - began < .seconds(2))
        #expect(bench.cache.waiterCount == 0)
        getter.next()?.succeed("v")
        #expect(bench.outcomes.count == 0)
    }

    @Test func `two thousand clients with 64 waits each for one key all leave, or all get the answer`() throws {
        var tickets: [Ticket] = []
        for token in 0..<128_000 { tickets.append(try #require(bench.lookup("k", token: UInt64(token)).1)) }
        #expect(bench.cache.waiterCount == 128_000)
        let began = threadTime()
        for ticket in tickets[..<64_000] { bench.group.leave(ticket) }
        getter.next()?.succeed("v")
        #expect(threadTime() - began < .seconds(5))
        #expect(bench.outcomes.count == 64_000)
        #expect(bench.cache.waiterCount == 0)
        // After the landing nobody is there to leave.
        for ticket in tickets { bench.group.leave(ticket) }
        #expect(bench.cache.waiterCount == 0)
    }

    @Test func `whoever leaves twice takes nobody else out`() throws {
        let ticket = try #require(bench.lookup("k", token: 1).1)
        bench.group.leave(ticket)
        bench.get("k", token: 2)
        bench.group.leave(ticket)
        getter.next()?.succeed("v")
        #expect(bench.outcomes[1].isEmpty)
        #expect(bench.outcomes[2] == ["v"])
    }

    @Test func `beyond the bound on waiters a caller is refused, until one leaves or is answered`() throws {
        let bench = try Bench(waiters: 3, getter: getter)
        let full = "refused: g: too many callers wait for loads; try again later"
        #expect(bench.get("a", token: 1) == "leads")
        #expect(bench.get("b", token: 2) == "leads")
        let ticket = try #require(bench.lookup("b", token: 3).1)
        #expect(bench.get("b", token: 4) == full)
        #expect(bench.get("c", token: 4) == full)
        #expect(bench.refresh("d", token: 4) == full)
        #expect(getter.held == ["a", "b"])
        bench.group.leave(ticket)
        #expect(bench.get("c", token: 5) == "leads")
        getter.next()?.succeed("v")
        #expect(bench.get("c", token: 6) == "follows")
        #expect(bench.get("a") == "v", "who is answered from memory waits for nothing")
        while let flight = getter.next() { flight.drop() }
        #expect(bench.cache.waiterCount == 0)
    }

    @Test func `more than the bound on waiters of one load are refused, those of others are not`() {
        for token in 0..<Group.waiterLimit { bench.get("k", token: UInt64(token)) }
        #expect(bench.get("k", token: 0).hasPrefix("refused"))
        #expect(bench.get("other", token: 0) == "leads")
        #expect(bench.cache.waiterCount == Group.waiterLimit + 1)
        getter.next()?.succeed("v")
        #expect(bench.cache.waiterCount == 1)
    }

    @Test func `waiters of fenced and of dropped flights are counted out, too`() {
        bench.get("a", token: 1)
        bench.invalidate("a")
        bench.get("a", token: 2)
        bench.cache.invalidateAll()
        #expect(bench.cache.waiterCount == 2)
        while let flight = getter.next() { flight.drop() }
        #expect(bench.cache.waiterCount == 0)
    }

    @Test(arguments: [true, false])
    func `the fence holds for a whole group and for everything`(wholeCache: Bool) throws {
        bench.get("kept")
        getter.next()?.succeed("v")
        bench.get("k", token: 1)
        let old = try #require(getter.next())
        if wholeCache { bench.cache.invalidateAll() } else { bench.group.invalidateAll() }
        old.succeed("old")
        #expect(bench.outcomes[1] == ["old"])
        #expect(bench.peek("k") == nil)
        #expect(bench.peek("kept") == nil)
        #expect(bench.cache.usedBytes == 0)
    }

    @Test func `with an invalidation at each step the newest value wins`() throws {
        // Steps of one load: start, land. The source changes and is invalidated before, between or after.
        for step in 0..<3 {
            let key = "k\(step)"
            var source = "old"
            func change() {
                source = "new"
                bench.invalidate(key)
            }
            if step == 0 { change() }
            bench.get(key)
            let read = source
            if step == 1 { change() }
            try #require(getter.next()).succeed(read)
            if step == 2 { change() }
            let answer = bench.get(key)
            if answer == "leads" { try #require(getter.next()).succeed(source) }
            #expect(bench.get(key) == "new")
        }
    }
}
