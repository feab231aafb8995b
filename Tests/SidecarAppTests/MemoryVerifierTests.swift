import CacheCore
import Groundwork
import TestSupport
import Testing

@testable import SidecarApp

/// Memory is compared with the database while the sidecar serves; here the database is a table in the test.
@Suite struct MemoryVerifierTests {
    private let rows = Rows()
    private let group: Group
    private let clock = Clock()

    /// What the getter answers; changed without a word to the cache, as by a change that nobody tells of.
    private final class Rows: Sendable {
        private let answers = Groundwork.Mutex<[String: HeldGetter.Answer]>([:])
        let told = Groundwork.Mutex<[String]>([])

        subscript(key: String) -> HeldGetter.Answer {
            get { answers.withLock { $0[key] } ?? .value(.missing) }
            set { answers.withLock { $0[key] = newValue } }
        }
    }

    private final class Clock: Sendable {
        private let reading = Groundwork.Mutex(Instant(nanoseconds: 1))
        var now: Instant { reading.withLock { $0 } }
        func advance(_ duration: Duration) { reading.withLock { $0 = $0 + duration } }
    }

    private let getter: HeldGetter

    init() throws {
        let rows = rows
        getter = HeldGetter { rows[$0] }
        var rules = GroupSettings()
        rules.negativeTimeToLive = .seconds(3600)
        group = try Group("word", settings: rules, getter: getter)
    }

    private func verifier(rate: Double = 1, bound: Duration = .seconds(10)) throws -> MemoryVerifier {
        var settings = Settings.Verify()
        settings.rate = rate
        settings.bound = bound
        return try MemoryVerifier([group], settings, clock: { [clock] in clock.now }) { [rows] _, key in
            rows.told.withLock { $0.append(String(decoding: key.bytes, as: UTF8.self)) }
        }
    }

    /// Asks for a key, so that it is in memory, and then so often that it is hit.
    private func ask(_ key: String, hits: Int) async throws {
        for _ in 0...hits { _ = try await group.get(Key(key)) }
    }

    private func tick(_ verifier: MemoryVerifier, isTrusted: Bool = true, isUnderPressure: Bool = false) async {
        await verifier.tick(isTrusted: isTrusted, isUnderPressure: isUnderPressure)
    }

    @Test func `what the source says, too, is no suspect, a missing row neither`() async throws {
        rows["7"] = .text("seven")
        let verifier = try verifier()
        try await ask("7", hits: 3)
        try await ask("8", hits: 3)
        await tick(verifier)
        #expect(verifier.figures == .init(checked: 6))
    }

    @Test(arguments: [HeldGetter.Answer.text("new"), .value(.missing)])
    func `an old value that outlives the bound is counted, told and dropped, once`(_ new: HeldGetter.Answer)
        async throws
    {
        rows["7"] = .text("old")
        let verifier = try verifier()
        try await ask("7", hits: 1)
        rows["7"] = new
        await tick(verifier)
        #expect(verifier.figures == .init(checked: 1, suspected: 1))
        clock.advance(.seconds(9))
        await tick(verifier)
        #expect(verifier.figures.mismatches == 0)
        clock.advance(.seconds(1))
        await tick(verifier)
        await tick(verifier)
        #expect(verifier.figures.mismatches == 1)
        #expect(rows.told.withLock { $0 } == ["7"])
        #expect(group.peek(Key("7")) == nil)
    }

    @Test func `an absence that is remembered and no longer true is found, too`() async throws {
        let verifier = try verifier()
        try await ask("7", hits: 1)
        rows["7"] = .text("born")
        await tick(verifier)
        clock.advance(.seconds(10))
        await tick(verifier)
        #expect(verifier.figures.mismatches == 1)
    }

    @Test func `a change that was told of within the bound is none`() async throws {
        rows["7"] = .text("old")
        let verifier = try verifier()
        try await ask("7", hits: 1)
        rows["7"] = .text("new")
        await tick(verifier)
        group.invalidate(Key("7"))
        _ = try await group.get(Key("7"))
        clock.advance(.seconds(10))
        await tick(verifier)
        #expect(verifier.figures.suspected == 1)
        #expect(verifier.figures.mismatches == 0)
    }

    @Test func `a change that comes while the source is asked is none`() async throws {
        rows["7"] = .text("old")
        let verifier = try verifier()
        try await ask("7", hits: 1)
        rows["7"] = .held
        async let compared: Void = tick(verifier)
        #expect(await eventually { getter.loaded.count == 2 })
        group.invalidate(Key("7"))
        #expect(getter.finish("7", "new"))
        await compared
        #expect(verifier.figures == .init(checked: 1))
    }

    @Test func `without hits, or with a rate that they do not make up for yet, the source is not asked`() async throws {
        rows["7"] = .text("seven")
        let verifier = try verifier(rate: 0.1)
        try await ask("7", hits: 9)
        await tick(verifier)
        #expect(getter.loaded.count == 1)
        try await ask("7", hits: 0)
        await tick(verifier)
        #expect(getter.loaded.count == 2)
        await tick(verifier)
        #expect(getter.loaded.count == 2)
    }

    @Test func `a tick asks the source so often at most, and tells what it left out`() async throws {
        rows["7"] = .text("seven")
        let verifier = try verifier()
        try await ask("7", hits: 3 * MemoryVerifier.limit)
        await tick(verifier)
        #expect(getter.loaded.count == 1 + MemoryVerifier.limit)
        #expect(verifier.figures == .init(checked: MemoryVerifier.limit, skipped: 2 * MemoryVerifier.limit))
    }

    @Test func `while loads wait, nothing is compared`() async throws {
        rows["7"] = .text("seven")
        let verifier = try verifier()
        try await ask("7", hits: 5)
        await tick(verifier, isUnderPressure: true)
        #expect(getter.loaded.count == 1)
        #expect(verifier.figures == .init(skipped: 5))
    }

    @Test func `while nobody tells of changes nothing is compared, and what was suspected is forgotten`() async throws {
        rows["7"] = .text("old")
        let verifier = try verifier()
        try await ask("7", hits: 1)
        rows["7"] = .text("new")
        await tick(verifier)
        await tick(verifier, isTrusted: false)
        clock.advance(.seconds(10))
        await tick(verifier)
        #expect(verifier.figures == .init(checked: 1, suspected: 1))
    }

    @Test func `a source that fails is no mismatch, and leaves the entry`() async throws {
        rows["7"] = .text("old")
        let verifier = try verifier()
        try await ask("7", hits: 2)
        rows["7"] = .error(LoadError(.unavailable, "gone"))
        await tick(verifier)
        clock.advance(.seconds(10))
        await tick(verifier)
        #expect(verifier.figures == .init(unanswered: 2))
        #expect(group.peek(Key("7")) != nil)
    }

    @Test func `every entry has its turn, however seldom it is asked for`() async throws {
        for number in 0..<20 {
            rows["\(number)"] = .text("old")
            try await ask("\(number)", hits: 0)
            rows["\(number)"] = .text("new")
        }
        let verifier = try verifier()
        for _ in 0..<4 {
            try await ask("0", hits: 20)
            await tick(verifier)
        }
        clock.advance(.seconds(10))
        await tick(verifier)
        #expect(group.count == 0)
        #expect(Set(rows.told.withLock { $0 }).count == 20)
    }
}
