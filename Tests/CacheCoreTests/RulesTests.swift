import Groundwork
import Testing

@testable import CacheCore

/// Rules that change while a group is asked.
struct RulesTests {
    private func make(_ rules: GroupSettings, memory: Int = 1 << 30) throws -> (Group, MovedClock) {
        let clock = MovedClock()
        let cache = Cache(memory: memory) { clock.now }
        return (try Group("g", settings: rules, in: cache, getter: PromptGetter()), clock)
    }

    private func rules(_ change: (inout GroupSettings) -> Void = { _ in }) -> GroupSettings {
        var rules = GroupSettings()
        rules.shards = 2
        change(&rules)
        return rules
    }

    @Test func `an entry lives no longer than a shorter time to live from the change on`() async throws {
        let (group, clock) = try make(rules { $0.timeToLive = .seconds(3600) })
        _ = try await group.get(Key("a"))
        group.apply(rules { $0.timeToLive = .seconds(10) })
        clock.advance(.seconds(9))
        #expect(group.peek(Key("a")) != nil)
        clock.advance(.seconds(2))
        #expect(group.peek(Key("a")) == nil)
        #expect(group.checkInvariants().isEmpty)
    }

    @Test func `an entry without limit gets one, and leaves by the sweep`() async throws {
        let (group, clock) = try make(rules { $0.timeToLive = nil })
        for key in 0..<300 { _ = try await group.get(Key("\(key)")) }
        group.apply(
            rules {
                $0.timeToLive = .seconds(10)
                $0.staleIfError = .seconds(5)
            })
        #expect(group.checkInvariants().isEmpty)
        clock.advance(.seconds(16))
        group.cache.sweep(at: clock.now)
        #expect(group.count == 0)
        #expect(group.checkInvariants().isEmpty)
    }

    @Test func `a longer time to live is for what is loaded from now on`() async throws {
        let (group, clock) = try make(rules { $0.timeToLive = .seconds(10) })
        _ = try await group.get(Key("a"))
        group.apply(rules { $0.timeToLive = .seconds(100) })
        _ = try await group.get(Key("b"))
        clock.advance(.seconds(50))
        #expect(group.peek(Key("a")) == nil)
        #expect(group.peek(Key("b")) != nil)
    }

    @Test func `entries are refreshed and dropped when idle by rules that came later`() async throws {
        let (group, clock) = try make(rules { $0.timeToLive = .seconds(1000) })
        _ = try await group.get(Key("a"))
        group.apply(
            rules {
                $0.timeToLive = .seconds(1000)
                $0.idleTimeToLive = .seconds(5)
            })
        clock.advance(.seconds(4))
        #expect(try await group.get(Key("a")) != nil)
        clock.advance(.seconds(4))
        #expect(group.peek(Key("a")) != nil)
        clock.advance(.seconds(2))
        group.cache.sweep(at: clock.now)
        #expect(group.count == 0)
    }

    @Test func `with less memory entries go, and with more they stay`() async throws {
        let (group, _) = try make(rules())
        for key in 0..<5000 { _ = try await group.get(Key("\(key)")) }
        #expect(group.count == 5000)
        group.apply(rules { $0.memory = 128 << 10 })
        #expect(group.cache.usedBytes <= 128 << 10)
        let kept = group.count
        #expect(kept > 100 && kept < 5000)
        #expect(group.checkInvariants().isEmpty)
        group.cache.setMemory(64 << 10)
        #expect(group.cache.usedBytes <= 64 << 10)
        #expect(group.count < kept)
        group.apply(rules())
        group.cache.setMemory(1 << 30)
        for key in 0..<5000 { _ = try await group.get(Key("\(key)")) }
        #expect(group.count == 5000)
        #expect(group.checkInvariants().isEmpty)
    }

    @Test func `loads that wait for their turn start when more may run`() throws {
        let getter = HeldGetter()
        let clock = MovedClock()
        let group = try Group(
            "g", settings: rules { $0.maxLoads = 1 }, in: Cache { clock.now }, getter: getter)
        let outcomes = Outcomes()
        for token in 0..<3 {
            let key = Key("\(token)")
            let waiter = Waiter(outcomes, token: UInt64(token), deadline: clock.now + .seconds(60))
            switch group.refresh(key.bytes.span.bytes, waiter: waiter) {
            case .leads(let flight, _): group.load(flight)
            case .hit: Issue.record("a hit")
            case .refreshes: Issue.record("a hit")
            case .follows: Issue.record("a follower")
            case .refused: Issue.record("refused")
            }
        }
        #expect(getter.held == ["0"])
        group.apply(rules { $0.maxLoads = 2 })
        #expect(getter.held == ["0", "1"])
        getter.next()?.succeed("x")
        #expect(getter.held == ["1", "2"])
    }

    @Test func `another order of eviction takes another group`() throws {
        let (group, _) = try make(rules())
        #expect(group.canApply(rules { $0.timeToLive = .seconds(1) }))
        #expect(!group.canApply(rules { $0.eviction = .sieve }))
        #expect(!group.canApply(rules { $0.timeToLive = .seconds(10 * 365 * 86400) }))
    }

    @Test func `a group that retired keeps nothing, and another one has its name`() async throws {
        let (group, clock) = try make(rules())
        _ = try await group.get(Key("a"))
        let cache = group.cache
        let other = try Group(
            "g", settings: rules(), in: cache, replacing: group, breaker: nil, onLoad: nil, getter: PromptGetter())
        #expect(throws: DuplicateGroupError.self) {
            try Group("g", settings: rules(), in: cache, getter: PromptGetter())
        }
        group.retire()
        #expect(cache.usedBytes == 0)
        _ = try await group.get(Key("a"))
        #expect(group.count == 0)
        _ = try await other.get(Key("a"))
        #expect(other.count == 1 && cache.groups.map(ObjectIdentifier.init) == [ObjectIdentifier(other)])
        _ = clock
    }
}
