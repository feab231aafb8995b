import CacheCore

/// Compares what a group has in memory with what its getter says now.
struct EntryCheck: Sendable {
    /// The group whose memory is checked.
    let group: Group
    /// One with the same getter that keeps nothing.
    private let source: Group

    /// What became of one comparison.
    enum Finding: Sendable {
        /// Memory has what the source has, or changed while it was asked.
        case agrees
        /// Memory has nothing to be compared.
        case absent
        /// The source gave no answer.
        case unanswered
        /// Memory had this before and after the source said something else.
        case differs(Value)
    }

    init(_ group: Group) throws {
        self.group = group
        var rules = GroupSettings()
        rules.timeToLive = .zero
        rules.negativeTimeToLive = .zero
        rules.loadTimeout = group.settings.loadTimeout
        rules.maxLoads = 1
        rules.maxQueuedLoads = 0
        rules.shards = 1
        source = try Group(group.name, settings: rules, getter: group.getter)
    }

    /// Compares one key. One load at a time, however often this is called.
    func compare(_ key: Key) async -> Finding {
        guard let before = group.peek(key) else { return .absent }
        let truth: Value
        do {
            truth = try await source.get(key) ?? .missing
        } catch {
            return .unanswered
        }
        if before.isSame(as: truth) { return .agrees }
        // An invalidation that came meanwhile did what it is for.
        guard let after = group.peek(key), after.isSame(as: before) else { return .agrees }
        return .differs(before)
    }
}

extension Value {
    /// Whether clients get the same bytes from both.
    func isSame(as other: Value) -> Bool {
        isMissing == other.isMissing && text.isSame(as: other.text) && fields.isSame(as: other.fields)
    }
}

extension RawSpan {
    fileprivate func isSame(as other: RawSpan) -> Bool {
        withUnsafeBytes { these in other.withUnsafeBytes { these.elementsEqual($0) } }
    }
}
