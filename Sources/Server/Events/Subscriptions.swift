/// What one client subscribed to.
struct Subscriptions {
    /// What a subscription names.
    enum Kind {
        /// A channel, by its name.
        case channel
        /// Every channel whose name matches a pattern (``Glob``).
        case pattern
    }

    private(set) var channels: Swift.Set<[UInt8]> = []
    private(set) var patterns: Swift.Set<[UInt8]> = []
    private var byteCount = 0

    /// The most bytes of names and patterns of one client, with so many more for each of them.
    static let limit = 256 << 10
    private static let overhead = 64

    /// How many there are.
    var count: Int { channels.count + patterns.count }
    var isEmpty: Bool { channels.isEmpty && patterns.isEmpty }

    /// Whether an event may be for it; any pattern may match one. O(channels).
    var mayMatchEvents: Bool {
        !patterns.isEmpty || channels.contains { $0.starts(with: KeyspaceEvent.channelPrefix) }
    }

    /// Those of a kind.
    func names(_ kind: Kind) -> Swift.Set<[UInt8]> {
        switch kind {
        case .channel: channels
        case .pattern: patterns
        }
    }

    /// Whether so many names of so many bytes fit.
    func hasRoom(count: Int, byteCount: Int) -> Bool {
        self.byteCount + byteCount + count * Self.overhead <= Self.limit
    }

    /// Adds one, unless it is there.
    mutating func insert(_ name: [UInt8], _ kind: Kind) {
        let isNew =
            switch kind {
            case .channel: channels.insert(name).inserted
            case .pattern: patterns.insert(name).inserted
            }
        if isNew { byteCount += name.count + Self.overhead }
    }

    /// Removes one, if it is there.
    mutating func remove(_ name: [UInt8], _ kind: Kind) {
        let removed =
            switch kind {
            case .channel: channels.remove(name)
            case .pattern: patterns.remove(name)
            }
        if removed != nil { byteCount -= name.count + Self.overhead }
    }
}
