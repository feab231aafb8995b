import CacheCore
import Groundwork
import Synchronization

/// Checks while the sidecar serves whether invalidation keeps its promise: it compares some of what is in memory with the
/// database, and counts what is still another value when that should long have been told. (In the spirit of Meta's Polaris,
/// which asks caches again for what they should have been told of.)
///
/// Hits know nothing of it. One task calls it; figures may be read by anyone.
final class MemoryVerifier: Sendable {
    /// What was found since the start.
    struct Figures: Sendable, Equatable {
        /// Entries that were compared.
        var checked = 0
        /// Of those, how many differed at first: mostly a change that is being told of at this moment.
        var suspected = 0
        /// Of those, how many were the same old value when the bound was over.
        var mismatches = 0
        /// Comparisons that the database gave no answer to.
        var unanswered = 0
        /// Comparisons that were left out, because loads waited or too many were due.
        var skipped = 0
    }

    private struct Suspect: Sendable {
        let check: EntryCheck
        let key: Key
        let value: Value
        let due: Instant
    }

    /// What one task alone uses.
    private struct State {
        var figures = Figures()
        var suspects: [Suspect] = []
        var hits = 0
        var credit = 0.0
        var turn = 0
        /// By group: how far the walk through its memory has come.
        var cursors: [Int]
        var checks: [EntryCheck]
        var random = SplitMix64(seed: .random(in: .min ... .max))
    }

    private let settings: Settings.Verify
    private let clock: @Sendable () -> Instant
    private let state: Groundwork.Mutex<State>
    private let onMismatch: @Sendable (Group, Key) -> Void

    /// Comparisons in one tick at most, whatever the rate: it never is a load to speak of.
    static let limit = 50
    /// Entries that are watched at once.
    private static let suspectLimit = 1000

    /// - Parameters:
    ///   - groups: Those of which a stream tells what changed; the others promise no more than their times.
    ///   - onMismatch: Told of each entry that outlived the bound; it is dropped.
    init(
        _ groups: [Group], _ settings: Settings.Verify, clock: @escaping @Sendable () -> Instant = { Instant.now() },
        onMismatch: @escaping @Sendable (Group, Key) -> Void
    ) throws {
        self.settings = settings
        self.clock = clock
        self.onMismatch = onMismatch
        state = try Groundwork.Mutex(State(cursors: groups.map { _ in 0 }, checks: groups.map { try EntryCheck($0) }))
    }

    private var checks: [EntryCheck] { state.withLock { $0.checks } }

    /// Checks other groups from now on.
    func follow(_ groups: [Group]) throws {
        let checks = try groups.map { try EntryCheck($0) }
        state.withLock { state in
            state.checks = checks
            state.cursors = checks.map { _ in 0 }
        }
    }

    var figures: Figures { state.withLock { $0.figures } }

    /// Does what is due, one comparison after the other; to be called about once a second. While loads wait, or nobody tells of
    /// changes, nothing is compared.
    func tick(isTrusted: Bool, isUnderPressure: Bool) async {
        let count = takeCredit()
        guard isTrusted else { return state.withLock { $0.suspects = [] } }
        guard !isUnderPressure else { return state.withLock { $0.figures.skipped += count } }
        for suspect in takeDue() { await lookAgain(at: suspect) }
        for _ in 0..<count {
            if Task.isCancelled { return }
            guard let (check, key) = choose() else { return }
            await look(at: key, check)
        }
    }

    /// How many comparisons the hits since the last tick are worth.
    private func takeCredit() -> Int {
        let hits = checks.reduce(0) { sum, check in
            let statistics = check.group.statistics
            return sum + statistics.hits + statistics.negativeHits
        }
        return state.withLock { state in
            state.credit += Double(max(0, hits - state.hits)) * settings.rate
            state.hits = hits
            let whole = Int(min(state.credit, 1_000_000))
            state.credit -= Double(whole)
            if whole > Self.limit { state.figures.skipped += whole - Self.limit }
            return min(whole, Self.limit)
        }
    }

    /// The next key to compare: in turn one of those that are asked for most, and the next one in memory, so that each has
    /// its turn however seldom it is asked for.
    private func choose() -> (EntryCheck, Key)? {
        let checks = checks
        for _ in checks {
            let (turn, lot, cursor) = state.withLock { state in
                state.turn &+= 1
                let index = state.turn % checks.count
                return (state.turn, state.random.next(), index < state.cursors.count ? state.cursors[index] : 0)
            }
            let index = turn % checks.count
            let check = checks[index]
            let hot = check.group.mostAccessed(64)
            if (turn / checks.count) % 2 == 0, !hot.isEmpty { return (check, hot[Int(lot % UInt64(hot.count))].key) }
            var (keys, next) = check.group.keys(from: cursor, count: 1, at: clock())
            if keys.isEmpty, cursor != 0 { (keys, next) = check.group.keys(from: 0, count: 1, at: clock()) }
            let reached = next
            state.withLock { if index < $0.cursors.count { $0.cursors[index] = reached } }
            if let key = keys.first { return (check, key) }
        }
        return nil
    }

    private func look(at key: Key, _ check: EntryCheck) async {
        let finding = await check.compare(key)
        let due = clock() + settings.bound
        state.withLock { state in
            switch finding {
            case .absent: break
            case .agrees: state.figures.checked += 1
            case .unanswered: state.figures.unanswered += 1
            case .differs(let value):
                state.figures.checked += 1
                state.figures.suspected += 1
                if state.suspects.count < Self.suspectLimit {
                    state.suspects.append(Suspect(check: check, key: key, value: value, due: due))
                }
            }
        }
    }

    private func takeDue() -> [Suspect] {
        let now = clock()
        return state.withLock { state in
            let due = state.suspects.filter { $0.due <= now }
            state.suspects.removeAll { $0.due <= now }
            return due
        }
    }

    private func lookAgain(at suspect: Suspect) async {
        guard case .differs(let value) = await suspect.check.compare(suspect.key), value.isSame(as: suspect.value)
        else {
            return
        }
        state.withLock { $0.figures.mismatches += 1 }
        suspect.check.group.invalidate(suspect.key)
        onMismatch(suspect.check.group, suspect.key)
    }
}
