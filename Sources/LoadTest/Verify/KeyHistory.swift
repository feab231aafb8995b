import Groundwork

/// What one key was, is and is about to be, as its one writer knows it, and what that says of an answer.
///
/// Versions only grow. A key that was deleted has a version, too: that of its absence.
struct KeyHistory: Sendable {
    /// One committed state of the key.
    struct State: Sendable {
        let version: Int64
        let isAbsent: Bool
        /// A moment at which it was committed for sure.
        let committed: Instant
        /// How long after that its predecessor was still answered, in nanoseconds.
        var outlived: Int64 = 0
    }

    /// What an answer said.
    enum Answer: Sendable, Equatable {
        case version(Int64)
        case absent
    }

    /// What there is to be said of an answer.
    enum Verdict: Sendable, Equatable {
        /// It was the newest committed state when it was asked for, or came to be after.
        case fresh
        /// It had been replaced so many nanoseconds before it was asked for.
        case stale(Int64)
        /// No transaction that committed ever wrote it.
        case neverCommitted
        /// The reader has had a newer one before; it had been replaced so many nanoseconds before it was asked for. A load
        /// that was fenced may bring its waiters what is newer than the entry that is in memory by then, until the change is
        /// told of.
        case wentBack(Int64)
    }

    private(set) var states: [State]
    private var attempt: (version: Int64, isAbsent: Bool)?
    /// Whether somebody was answered what is being attempted.
    private var attemptWasRead = false
    /// States up to this version are no longer known.
    private var forgotten: Int64 = -1

    private static let remembered = 4096

    init(version: Int64, isAbsent: Bool, at now: Instant) {
        states = [State(version: version, isAbsent: isAbsent, committed: now)]
    }

    /// The newest committed state.
    var newest: State { states[states.count - 1] }

    // MARK: The writer

    /// A transaction is about to write this. From now on it may be read.
    mutating func begin(_ version: Int64, isAbsent: Bool) {
        attempt = (version, isAbsent)
        attemptWasRead = false
    }

    /// It has committed by `now`.
    mutating func commit(at now: Instant) {
        guard let attempt else { return }
        states.append(State(version: attempt.version, isAbsent: attempt.isAbsent, committed: now))
        self.attempt = nil
        guard states.count > Self.remembered else { return }
        states.removeFirst(Self.remembered / 2)
        forgotten = states[0].version - 1
    }

    /// It was rolled back. Returns whether somebody had been answered it.
    mutating func rollBack() -> Bool {
        attempt = nil
        return attemptWasRead
    }

    // MARK: The readers

    /// Judges an answer to what was asked at `asked`, by a reader whose last answer was of version `last`; sets that to the
    /// version of this one.
    mutating func judge(_ answer: Answer, asked: Instant, last: inout Int64) -> Verdict {
        switch answer {
        case .version(let version): judge(version, asked, &last)
        case .absent: judgeAbsence(asked, &last)
        }
    }

    private mutating func judge(_ version: Int64, _ asked: Instant, _ last: inout Int64) -> Verdict {
        let isBack = version < last
        if let attempt, attempt.version == version, !attempt.isAbsent {
            attemptWasRead = true
            last = version
            return .fresh
        }
        if version <= forgotten {
            let age = (asked - states[0].committed).wholeNanoseconds
            return isBack ? .wentBack(age) : .stale(age)
        }
        guard let index = index(of: version), !states[index].isAbsent else { return .neverCommitted }
        let age = age(of: index, asked)
        if isBack { return .wentBack(age) }
        last = version
        return age > 0 ? .stale(age) : .fresh
    }

    /// An absence has no version to be known by: it is taken for the newest that there was or may be, and the reader is only
    /// held to the oldest that it can have been.
    private mutating func judgeAbsence(_ asked: Instant, _ last: inout Int64) -> Verdict {
        let newest = states.lastIndex { $0.isAbsent }
        let mayBeAttempt = attempt?.isAbsent ?? false
        guard let newest, states[newest].version >= last else {
            if mayBeAttempt {
                attemptWasRead = true
                last = attempt?.version ?? last
                return .fresh
            }
            return newest.map { Verdict.wentBack(self.age(of: $0, asked)) } ?? .neverCommitted
        }
        var oldest = newest
        while oldest > 0, states[oldest - 1].version >= last {
            oldest -= 1
        }
        while !states[oldest].isAbsent { oldest += 1 }
        last = states[oldest].version
        guard !mayBeAttempt else { return .fresh }
        let age = age(of: newest, asked)
        return age > 0 ? .stale(age) : .fresh
    }

    /// How long before `asked` a state had been replaced; 0: it had not.
    private mutating func age(of index: Int, _ asked: Instant) -> Int64 {
        let next = index + 1
        guard next < states.count, states[next].committed < asked else { return 0 }
        let age = (asked - states[next].committed).wholeNanoseconds
        states[next].outlived = max(states[next].outlived, age)
        return age
    }

    private func index(of version: Int64) -> Int? {
        let index = states.partitioningIndex { $0.version >= version }
        return index < states.count && states[index].version == version ? index : nil
    }
}
