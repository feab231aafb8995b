import Groundwork
import Testing

@testable import LoadTest

/// What the checker makes of answers. The versions of a key grow; each is asked for after all that came before.
@Suite final class KeyHistoryTests {
    private var now = Instant(nanoseconds: 1000)
    private var history = KeyHistory(version: 0, isAbsent: false, at: Instant(nanoseconds: 0))
    private var last: Int64 = 0

    private func commit(_ version: Int64, isAbsent: Bool = false) {
        history.begin(version, isAbsent: isAbsent)
        now = now.advanced(byNanoseconds: 100)
        history.commit(at: now)
    }

    private func judge(_ answer: KeyHistory.Answer, after wait: Int64 = 10) -> KeyHistory.Verdict {
        now = now.advanced(byNanoseconds: wait)
        return judge(answer, asked: now)
    }

    private func judge(_ answer: KeyHistory.Answer, asked: Instant) -> KeyHistory.Verdict {
        history.judge(answer, asked: asked, last: &last)
    }

    private func rollBack() -> Bool { history.rollBack() }

    @Test func `what is committed is fresh, and what it replaced is as stale as that is old`() {
        commit(5)
        #expect(judge(.version(0), after: 40) == .stale(40))
        #expect(judge(.version(5)) == .fresh)
        #expect(history.newest.outlived == 40)
    }

    @Test func `what is under way may be read, or not yet, for as long as nobody knows`() {
        history.begin(3, isAbsent: false)
        #expect(judge(.version(0), after: 1_000_000) == .fresh)
        #expect(judge(.version(3)) == .fresh)
        history.commit(at: now)
        #expect(judge(.version(3)) == .fresh)
    }

    @Test func `what was asked for before the commit is not stale`() {
        history.begin(3, isAbsent: false)
        let asked = now
        history.commit(at: now.advanced(byNanoseconds: 5))
        #expect(judge(.version(0), asked: asked) == .fresh)
    }

    @Test func `what nobody wrote, and what was rolled back, was never committed`() {
        #expect(judge(.version(9)) == .neverCommitted)
        history.begin(4, isAbsent: false)
        #expect(!rollBack())
        #expect(judge(.version(4)) == .neverCommitted)
        #expect(judge(.absent) == .neverCommitted)
    }

    @Test func `a read of what is then rolled back is told at the rollback`() {
        history.begin(4, isAbsent: false)
        #expect(judge(.version(4)) == .fresh)
        #expect(rollBack())
        history.begin(5, isAbsent: true)
        #expect(judge(.absent) == .fresh)
        #expect(rollBack())
    }

    @Test func `a reader who has seen a version must not see an older one`() {
        commit(1)
        commit(2)
        #expect(judge(.version(2)) == .fresh)
        #expect(judge(.version(1)) == .wentBack(20))
        // Another reader may.
        last = 0
        #expect(judge(.version(1)) == .stale(30))
    }

    @Test func `an absence is the newest that there was, and holds its reader to the oldest that it may be`() {
        commit(1, isAbsent: true)
        commit(2)
        commit(3, isAbsent: true)
        #expect(judge(.absent) == .fresh)
        // It may have been version 1.
        #expect(judge(.version(2)) == .stale(20))
        #expect(judge(.absent) == .fresh)
        // Not now: the absence behind version 2 is version 3.
        #expect(judge(.version(2)) == .wentBack(40))
    }

    @Test func `an absence that was replaced is stale, and one before what the reader saw went back`() {
        commit(1, isAbsent: true)
        commit(2)
        #expect(judge(.absent, after: 70) == .stale(70))
        #expect(judge(.version(2)) == .fresh)
        #expect(judge(.absent) == .wentBack(90))
    }

    @Test func `a present version is no absence and the other way round`() {
        commit(1, isAbsent: true)
        #expect(judge(.version(1)) == .neverCommitted)
        history.begin(2, isAbsent: true)
        #expect(judge(.version(2)) == .neverCommitted)
    }

    @Test func `thousands of commits later the first version is stale by all that is remembered`() {
        for version in 1...10_000 { commit(Int64(version)) }
        #expect(history.states.count <= 4096)
        guard case .stale(let age) = judge(.version(1)) else {
            Issue.record("not stale")
            return
        }
        #expect(age > 100 * 2000)
        #expect(judge(.version(10_000)) == .fresh)
        #expect(judge(.version(20_000)) == .neverCommitted)
    }
}
