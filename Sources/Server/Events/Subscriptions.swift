/// What one client subscribed to.
struct Subscriptions: Sendable {
    /// What a subscription names.
    enum Kind {
        /// A channel, by its name.
        case channel
        /// Every channel whose name matches a pattern (``Glob``).
        case pattern
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

    /// Adds a channel, unless it is there.
    mutating func insert(_ channel: [UInt8]) {
        if channels.insert(channel).inserted { byteCount += channel.count + Self.overhead }
    }

    /// Adds a pattern, unless it is there.
    mutating func insert(_ pattern: Glob) {
        if patterns.updateValue(pattern, forKey: pattern.bytes) == nil { byteCount += pattern.cost + Self.overhead }
    }

    /// Removes one, if it is there.
    mutating func remove(_ name: [UInt8], _ kind: Kind) {
        switch kind {
        case .channel: if channels.remove(name) != nil { byteCount -= name.count + Self.overhead }
        case .pattern: if let removed = patterns.removeValue(forKey: name) { byteCount -= removed.cost + Self.overhead }
        }
    }
}
