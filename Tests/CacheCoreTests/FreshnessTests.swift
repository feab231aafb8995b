import CacheCore
import Groundwork
import Testing

struct FreshnessTests {
    private let getter = HeldGetter()

    private func bench(_ change: (inout GroupSettings) -> Void) throws -> Bench {
        var settings = GroupSettings()
        change(&settings)
        return try Bench(settings: settings, getter: getter)
    }

    private func fill(_ bench: Bench, _ key: String = "k", with text: String = "v1") {
        bench.get(key, token: 1000)
        getter.next()?.succeed(text)
    }

    // MARK: refresh_after

    @Test func `a hit after refresh_after is answered at once and starts one reload`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        bench.clock.advance(.seconds(44))
        #expect(bench.get("k") == "v1")
        bench.clock.advance(.seconds(2))
        #expect(bench.get("k") == "v1 (refreshes)")
        for _ in 0..<10 { #expect(bench.get("k") == "v1") }
        #expect(getter.held == ["k"])
        getter.next()?.succeed("v2")
        #expect(bench.get("k") == "v2")
        #expect(bench.group.statistics.refreshes == 1)
        #expect(bench.group.checkInvariants() == [])
    }

    @Test(arguments: [Value.missing, Value(text: Array(repeating: 7, count: 2000))])
    func `a reload that brings what is not stored removes what it was to replace`(value: Value) throws {
        let bench = try bench {
            $0.refreshAfter = .seconds(45)
            $0.negativeTimeToLive = .zero
            $0.memory = 1000
        }
        fill(bench)
        bench.clock.advance(.seconds(50))
        #expect(bench.get("k") == "v1 (refreshes)")
        getter.next()?.succeed(value)
        #expect(bench.get("k", token: 1) == "leads")
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `ten thousand asks of a hot key over three expiries cost three queries and none waits`() throws {
        let bench = try bench {
            $0.timeToLive = .seconds(60)
            $0.refreshAfter = .seconds(45)
        }
        fill(bench)
        var loads = 0
        for _ in 0..<10_000 {
            bench.clock.advance(.milliseconds(15))
            let answer = bench.get("k")
            #expect(answer != "leads" && answer != "follows")
            if answer.hasSuffix("(refreshes)") {
                loads += 1
                // Many more ask while the load is under way.
                for _ in 0..<20 { #expect(bench.get("k").hasPrefix("v")) }
                getter.next()?.succeed("v\(loads)")
            }
        }
        #expect(loads == 3)
        #expect(bench.group.statistics.loads == 4)
    }

    @Test func `a reload that is under way when the entry expires is joined`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        bench.clock.advance(.seconds(50))
        #expect(bench.get("k") == "v1 (refreshes)")
        bench.clock.advance(.seconds(20))
        #expect(bench.get("k", token: 1) == "follows")
        getter.next()?.succeed("v2")
        #expect(bench.outcomes[1] == ["v2"])
        #expect(bench.group.statistics.loads == 2)
    }

    @Test func `a reload that fails is tried again after a pause, not at each hit`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        bench.clock.advance(.seconds(46))
        #expect(bench.get("k") == "v1 (refreshes)")
        getter.next()?.fail(LoadError(.unavailable, "down"))
        #expect(bench.get("k") == "v1")
        bench.clock.advance(.milliseconds(1100))
        #expect(bench.get("k") == "v1 (refreshes)")
    }

    @Test func `a reload that brings what is not kept drops what was there`() throws {
        let bench = try bench {
            $0.refreshAfter = .seconds(45)
            $0.staleIfError = .seconds(600)
            $0.negativeTimeToLive = .zero
            $0.memory = 10_000
        }
        for value in [Value.missing, Value(text: [UInt8](repeating: 120, count: 20_000))] {
            fill(bench)
            bench.clock.advance(.seconds(46))
            #expect(bench.get("k") == "v1 (refreshes)")
            getter.next()?.succeed(value)
            #expect(bench.peek("k") == nil)
            #expect(bench.get("k", token: 1) == "leads")
            getter.next()?.fail(LoadError(.unavailable, "down"))
        }
        #expect(bench.outcomes[1] == ["error: down", "error: down"])
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `an invalidation during a reload fences it`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        bench.clock.advance(.seconds(46))
        bench.get("k")
        bench.invalidate("k")
        getter.next()?.succeed("old")
        #expect(bench.peek("k") == nil)
        #expect(bench.get("k") == "leads")
    }

    @Test func `a reload is wanted although nobody waits for it`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        bench.clock.advance(.seconds(46))
        bench.get("k")
        #expect(try #require(getter.next()).isWanted(at: bench.clock.now))
    }

    // MARK: early_refresh

    @Test func `early refresh grows likelier towards expiry and with the cost of the load`() throws {
        // The load takes two seconds. Half a minute before expiry the chance at a hit is e^-15, two seconds before it is
        // e^-1.
        let bench = try bench { $0.earlyRefresh = true }
        func refreshes(at age: Duration, of tries: Int) -> Int {
            var count = 0
            for attempt in 0..<tries {
                let key = "\(age)-\(attempt)"
                bench.get(key, token: 1)
                bench.clock.advance(.seconds(2))
                getter.next()?.succeed("v")
                bench.clock.advance(age)
                if bench.get(key).hasSuffix("(refreshes)") { count += 1 }
                while let flight = getter.next() { flight.succeed("v") }
            }
            return count
        }
        #expect(refreshes(at: .seconds(30), of: 100) == 0)
        let late = refreshes(at: .seconds(58), of: 300)
        #expect((60...160).contains(late), "about 110 of 300 are expected, \(late) were seen")
    }

    @Test func `an early reload that fails is tried again after a pause, not at each hit`() throws {
        let bench = try bench { $0.earlyRefresh = true }
        bench.get("k")
        // So long that a hit just before expiry is all but sure to reload.
        bench.clock.advance(.seconds(5000))
        getter.next()?.succeed("v1")
        bench.clock.advance(.seconds(55))
        #expect(bench.get("k") == "v1 (refreshes)")
        getter.next()?.fail(LoadError(.query, "refused"))
        for _ in 0..<100 { #expect(bench.get("k") == "v1") }
        bench.clock.advance(.milliseconds(1100))
        #expect(bench.get("k") == "v1 (refreshes)")
    }

    @Test func `a refresh on demand that fails doesn't bring the next reload forward`() throws {
        let bench = try bench { $0.refreshAfter = .seconds(45) }
        fill(bench)
        let key = Array("k".utf8)
        let waiter = Waiter(bench.outcomes, token: 1, deadline: bench.clock.now + .seconds(2))
        guard case .leads(let flight, _) = bench.group.refresh(key.span.bytes, waiter: waiter) else {
            Issue.record("a flight is under way")
            return
        }
        flight.fail(LoadError(.unavailable, "down"))
        bench.clock.advance(.seconds(2))
        #expect(bench.get("k") == "v1")
    }

    // MARK: stale_if_error

    @Test func `when a load fails the last value is served within the bound, and the error after it`() throws {
        let bench = try bench { $0.staleIfError = .seconds(600) }
        fill(bench)
        bench.clock.advance(.seconds(61))
        #expect(bench.peek("k") == nil)
        #expect(bench.get("k", token: 1) == "leads")
        #expect(bench.get("k", token: 2) == "follows")
        getter.next()?.fail(LoadError(.unavailable, "down"))
        #expect(bench.outcomes[1] == ["v1"])
        #expect(bench.outcomes[2] == ["v1"])
        #expect(bench.group.statistics.staleHits == 2)
        bench.clock.advance(.seconds(600))
        #expect(bench.get("k", token: 3) == "leads")
        getter.next()?.fail(LoadError(.unavailable, "down"))
        #expect(bench.outcomes[3] == ["error: down"])
    }

    @Test func `a hit past the time to live is never served without asking the source`() throws {
        let bench = try bench { $0.staleIfError = .seconds(600) }
        fill(bench)
        bench.clock.advance(.seconds(61))
        #expect(bench.get("k", token: 1) == "leads")
        getter.next()?.succeed("v2")
        #expect(bench.outcomes[1] == ["v2"])
        #expect(bench.get("k") == "v2")
    }

    @Test func `an invalidated value never stands in for a failed load`() throws {
        let bench = try bench { $0.staleIfError = .seconds(600) }
        fill(bench)
        bench.clock.advance(.seconds(61))
        bench.get("k", token: 1)
        bench.invalidate("k")
        getter.next()?.fail(LoadError(.unavailable, "down"))
        #expect(bench.outcomes[1] == ["error: down"])
    }

    @Test func `a caller whose deadline passes may have the stale value`() throws {
        let bench = try bench { $0.staleIfError = .seconds(600) }
        fill(bench)
        let key = Array("k".utf8)
        bench.clock.advance(.seconds(61))
        bench.get("k", token: 1)
        #expect(bench.group.standIn(for: key.span.bytes, at: bench.clock.now).map { string($0.text) } == "v1")
        bench.clock.advance(.seconds(600))
        #expect(bench.group.standIn(for: key.span.bytes, at: bench.clock.now) == nil)
    }

    // MARK: idle_ttl and jitter

    @Test func `an entry that is not asked for leaves after its idle time`() throws {
        let bench = try bench {
            $0.timeToLive = nil
            $0.idleTimeToLive = .seconds(10)
        }
        fill(bench)
        for _ in 0..<5 {
            bench.clock.advance(.seconds(9))
            #expect(bench.get("k") == "v1")
        }
        bench.clock.advance(.seconds(11))
        #expect(bench.get("k") == "leads")
    }

    @Test func `the sweep finds idle entries without their being asked for`() throws {
        let bench = try bench {
            $0.timeToLive = nil
            $0.idleTimeToLive = .seconds(10)
        }
        fill(bench, "a")
        fill(bench, "b")
        bench.clock.advance(.seconds(8))
        bench.get("a")
        bench.clock.advance(.seconds(3))
        #expect(bench.cache.sweep(at: bench.clock.now) != nil)
        #expect(bench.group.statistics.entries == 1)
        bench.clock.advance(.seconds(8))
        #expect(bench.cache.sweep(at: bench.clock.now) == nil)
        #expect(bench.group.statistics.entries == 0)
    }

    @Test func `the lifetime is the sooner of the time to live and the idle time`() throws {
        func left(_ lifetime: Lifetime) -> Duration? {
            guard case .left(let duration) = lifetime else { return nil }
            return duration
        }
        let idle = try bench {
            $0.timeToLive = nil
            $0.idleTimeToLive = .seconds(3)
        }
        fill(idle)
        #expect(try #require(left(idle.lifetime("k"))) <= .seconds(3))
        #expect(try #require(left(idle.lifetime("k"))) > .milliseconds(2950))
        idle.clock.advance(.seconds(2))
        #expect(try #require(left(idle.lifetime("k"))) <= .seconds(1))
        idle.get("k")
        #expect(try #require(left(idle.lifetime("k"))) > .milliseconds(2950))
        let both = try bench {
            $0.timeToLive = .seconds(4)
            $0.idleTimeToLive = .seconds(3)
            $0.staleIfError = .seconds(60)
        }
        fill(both)
        both.clock.advance(.seconds(2))
        both.get("k")
        #expect(try #require(left(both.lifetime("k"))) <= .seconds(2))
        #expect(try #require(left(both.lifetime("k"))) > .milliseconds(1950))
    }

    @Test func `the entries that expire are counted: those with a time to live, or all when idle ones leave`() throws {
        let endless = try bench { $0.timeToLive = nil }
        for key in ["a", "b", "c"] { fill(endless, key) }
        endless.get("none")
        getter.next()?.succeed(.missing)
        #expect(endless.group.statistics.expiring == 1)
        endless.clock.advance(.seconds(6))
        endless.cache.sweep(at: endless.clock.now)
        #expect(endless.group.statistics.expiring == 0)
        #expect(endless.group.statistics.entries == 3)
        let idle = try bench {
            $0.timeToLive = nil
            $0.idleTimeToLive = .seconds(10)
        }
        fill(idle)
        #expect(idle.group.statistics.expiring == 1)
        let limited = try bench { _ in }
        fill(limited, "a")
        fill(limited, "b")
        limited.invalidate("a")
        #expect(limited.group.statistics.expiring == 1)
    }

    // MARK: Long times

    private static let day = Duration.seconds(86_400)

    @Test(arguments: [200, 209, 365, 3650, 13_000])
    func `an entry lives as many days as its time to live says, and no longer`(days: Int) throws {
        let bench = try bench {
            $0.timeToLive = Self.day * days
            $0.refreshAfter = Self.day * (days - 2)
        }
        fill(bench)
        guard case .left(let left) = bench.lifetime("k") else {
            Issue.record("it has no limit")
            return
        }
        #expect(left <= Self.day * days && left > Self.day * days - .seconds(5))
        bench.clock.advance(Self.day * (days - 3))
        bench.cache.sweep(at: bench.clock.now)
        #expect(bench.get("k") == "v1")
        bench.clock.advance(Self.day * 2)
        #expect(bench.get("k") == "v1 (refreshes)")
        bench.clock.advance(Self.day)
        bench.cache.sweep(at: bench.clock.now)
        #expect(bench.peek("k") == nil)
    }

    @Test func `after years of uptime, in which ticks wrapped round, times are what the rules say`() throws {
        let bench = try bench {
            $0.refreshAfter = .seconds(45)
            $0.idleTimeToLive = .seconds(50)
            $0.staleIfError = .seconds(600)
        }
        for _ in 0..<40 {
            // A little more than the eighth part of a round each time.
            bench.clock.advance(Self.day * 105)
            bench.cache.sweep(at: bench.clock.now)
            #expect(bench.group.statistics.entries == 0)
            fill(bench)
            bench.clock.advance(.seconds(44))
            #expect(bench.get("k") == "v1")
            bench.clock.advance(.seconds(2))
            #expect(bench.get("k") == "v1 (refreshes)")
            getter.next()?.succeed("v2")
            bench.clock.advance(.seconds(51))
            #expect(bench.peek("k") == nil)
        }
    }

    @Test func `an entry without limit that nobody asks for in years is still served, and still due to be refreshed`()
        throws
    {
        let bench = try bench {
            $0.timeToLive = nil
            $0.refreshAfter = .seconds(45)
        }
        fill(bench)
        for _ in 0..<50 {
            bench.clock.advance(Self.day * 100)
            // The sweep is called when it asked to be.
            bench.cache.sweep(at: bench.clock.now)
            #expect(bench.lifetime("k") == .unlimited)
        }
        #expect(bench.get("k") == "v1 (refreshes)")
        getter.next()?.succeed("v2")
        #expect(bench.get("k") == "v2")
    }

    @Test func `an entry of a group without a time to live does not go stale, whatever else the group's rules are`()
        throws
    {
        let bench = try bench {
            $0.timeToLive = nil
            $0.earlyRefresh = true
            $0.staleIfError = .seconds(60)
        }
        fill(bench)
        for _ in 0..<50 {
            bench.clock.advance(Self.day * 100)
            bench.cache.sweep(at: bench.clock.now)
            #expect(bench.get("k") == "v1")
        }
    }

    @Test func `with jitter keys that were loaded together don't expire together, and none lives longer`() throws {
        let bench = try bench { $0.jitter = 0.5 }
        for number in 0..<200 { fill(bench, "k\(number)") }
        bench.clock.advance(.seconds(29))
        bench.cache.sweep(at: bench.clock.now)
        #expect(bench.group.statistics.entries == 200)
        bench.clock.advance(.seconds(16))
        bench.cache.sweep(at: bench.clock.now)
        #expect((60...140).contains(bench.group.statistics.entries))
        bench.clock.advance(.seconds(15))
        bench.cache.sweep(at: bench.clock.now)
        #expect(bench.group.statistics.entries == 0)
    }

    // MARK: Refreshing on demand

    @Test func `a refresh on demand loads what is in memory, and concurrent ones share`() throws {
        let bench = try bench { _ in }
        fill(bench)
        #expect(bench.refresh("k", token: 1) == "leads")
        #expect(bench.refresh("k", token: 2) == "follows")
        #expect(bench.get("k") == "v1")
        getter.next()?.succeed("v2")
        #expect(bench.outcomes[1] == ["v2"])
        #expect(bench.outcomes[2] == ["v2"])
        #expect(bench.get("k") == "v2")
    }
}
