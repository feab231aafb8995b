import Groundwork
import Histogram

/// The histories of all keys, shared by the writers and the readers, and what was found wrong.
final class Ledger: Sendable {
    /// One thing that must not be.
    struct Violation: Sendable, CustomStringConvertible {
        let kind: Kind
        let description: String

        enum Kind: String, Sendable, CaseIterable {
            case neverCommitted = "a value that was never committed"
            case wentBack = "a version that went back for one reader, beyond the bound"
            case tooStale = "a stale answer beyond the bound"
            case malformed = "an answer that is no row"
            case unanswered = "an error where nothing was broken"
            case permanent = "a value in memory that is not the database's"
        }
    }

    /// What is told of all violations: how many of each kind, and the first few in words.
    struct Findings: Sendable {
        var counts: [Violation.Kind: Int] = [:]
        var first: [Violation] = []
    }

    /// How many keys there are, from 0.
    let keyCount: Int
    private let bound: Int64
    private let stripes: [Stripe]
    private let noted = Groundwork.Mutex(Findings())

    private static let stripeCount = 64

    /// The histories of some keys under one lock.
    private final class Stripe: Sendable {
        let histories: Groundwork.Mutex<[KeyHistory]>

        init(_ histories: [KeyHistory]) { self.histories = Groundwork.Mutex(histories) }
    }

    /// The keys 0..<keyCount, of which `isPresent` says whether there is a row, with version 0. Stale answers are fine up to
    /// `bound`.
    init(keyCount: Int, bound: Duration, isPresent: (Int) -> Bool) {
        self.keyCount = keyCount
        self.bound = bound.wholeNanoseconds
        let now = Instant.now()
        stripes = (0..<Self.stripeCount).map { stripe in
            Stripe(
                stride(from: stripe, to: keyCount, by: Self.stripeCount).map {
                    KeyHistory(version: 0, isAbsent: !isPresent($0), at: now)
                })
        }
    }

    // MARK: Writers

    func begin(_ key: Int, _ version: Int64, isAbsent: Bool) {
        withHistory(of: key) { $0.begin(version, isAbsent: isAbsent) }
    }

    func commit(_ key: Int, at now: Instant) {
        withHistory(of: key) { $0.commit(at: now) }
    }

    func rollBack(_ key: Int) {
        guard withHistory(of: key, { $0.rollBack() }) else { return }
        note(.neverCommitted, "key \(key): what was rolled back had been answered")
    }

    // MARK: Readers

    /// Judges an answer about `key` and notes what is wrong with it. Returns whether it was stale.
    func judge(
        _ key: Int, _ answer: KeyHistory.Answer, asked: Instant, last: inout Int64, by reader: Int, from group: String
    ) -> Bool {
        let before = last
        let (verdict, newest) = withHistory(of: key) { history in
            (history.judge(answer, asked: asked, last: &last), history.newest.version)
        }
        func tell() -> String {
            "\(group):\(key), reader \(reader): answered \(answer), before that version \(before); committed is \(newest)"
        }
        switch verdict {
        case .fresh: return false
        case .stale(let age):
            if age > bound { note(.tooStale, "\(tell()); replaced \(Report.text(age)) before it was asked for") }
            return true
        case .neverCommitted: note(.neverCommitted, tell())
        case .wentBack(let age):
            if age > bound { note(.wentBack, "\(tell()); replaced \(Report.text(age)) before it was asked for") }
            return true
        }
        return false
    }

    /// The newest committed state of a key: its version, nil when there is no row.
    func newest(_ key: Int) -> Int64? {
        withHistory(of: key) { $0.newest.isAbsent ? nil : $0.newest.version }
    }

    func note(_ kind: Violation.Kind, _ description: String) {
        noted.withLock { noted in
            noted.counts[kind, default: 0] += 1
            if noted.first.count < 20 { noted.first.append(Violation(kind: kind, description: description)) }
        }
    }

    // MARK: At the end

    var findings: Findings { noted.withLock { $0 } }

    /// For each commit after which the state before was still answered, how long; and how many commits there are.
    var staleness: (histogram: Histogram<UInt64>, commits: Int) {
        var histogram = Histogram<UInt64>()
        var commits = 0
        for stripe in stripes {
            let states = stripe.histories.withLock { $0.flatMap { $0.states.dropFirst() } }
            commits += states.count
            for state in states where state.outlived > 0 { histogram.record(UInt64(state.outlived)) }
        }
        return (histogram, commits)
    }

    private func withHistory<Result: Sendable>(of key: Int, _ body: (inout KeyHistory) -> Result) -> Result {
        stripes[key % Self.stripeCount].histories.withLock { body(&$0[key / Self.stripeCount]) }
    }
}
