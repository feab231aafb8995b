/// What one client subscribed to.
struct Subscriptions: Sendable {
    /// What a subscription names.
    enum Kind {
        /// A channel, by its name.
        case channel
        /// Every channel whose name matches a pattern (``Glob``).
        case pattern
    }

    /// One that came or went.
    struct Change {
        let kind: Kind
        let name: [UInt8]
        let isNew: Bool
    }

    private(set) var channels: Swift.Set<[UInt8]> = []
    private(set) var patterns: [[UInt8]: Glob] = [:]
    /// What they take of the limit.
    private(set) var byteCount = 0

    /// The most bytes of names and patterns of one client, with so many more for each of them.
    static let limit = 256 << 10
    static let overhead = 64

    /// How many there are.
    var count: Int { channels.count + patterns.count }
    var isEmpty: Bool { channels.isEmpty && patterns.isEmpty }

    /// Whether an event may be for it; any pattern may match one. O(channels).
    var mayMatchEvents: Bool {
        !patterns.isEmpty || channels.contains { $0.starts(with: KeyspaceEvent.channelPrefix) }
    }

    /// Those of a kind.
    func names(_ kind: Kind) -> [[UInt8]] {
        switch kind {
        case .channel: Array(channels)
        case .pattern: Array(patterns.keys)
        }
    }

    /// Whether so many names of so many bytes fit.
    func hasRoom(count: Int, byteCount: Int) -> Bool {
        self.byteCount + byteCount + count * Self.overhead <= Self.limit
    }

    /// All of them, as they go.
    var removals: [Change] {
        channels.map { Change(kind: .channel, name: $0, isNew: false) }
            + patterns.keys.map { Change(kind: .pattern, name: $0, isNew: false) }
    }

    /// Adds a channel; nil: it is there.
    mutating func insert(_ channel: [UInt8]) -> Change? {
        guard channels.insert(channel).inserted else { return nil }
        byteCount += channel.count + Self.overhead
        return Change(kind: .channel, name: channel, isNew: true)
    }

    /// Adds a pattern; nil: it is there.
    mutating func insert(_ pattern: Glob) -> Change? {
        guard patterns.updateValue(pattern, forKey: pattern.bytes) == nil else { return nil }
        byteCount += pattern.cost + Self.overhead
        return Change(kind: .pattern, name: pattern.bytes, isNew: true)
    }

    /// Removes one; nil: it is not there.
    mutating func remove(_ name: [UInt8], _ kind: Kind) -> Change? {
        switch kind {
        case .channel:
            guard channels.remove(name) != nil else { return nil }
            byteCount -= name.count + Self.overhead
        case .pattern:
            guard let removed = patterns.removeValue(forKey: name) else { return nil }
            byteCount -= removed.cost + Self.overhead
        }
        return Change(kind: kind, name: name, isNew: false)
    }
}
