package import CacheCore

/// What happened to an entry that came or went, or to a group, as Redis' keyspace notifications tell it
/// (https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/).
struct KeyspaceEvent: Sendable {
    /// What messages call it.
    private let name: [UInt8]
    /// As it is on the wire.
    private let key: [UInt8]

    /// Nil: what happened is none of those.
    init?(_ event: GroupEvent, of key: Key, in group: Group) {
        guard let name = Self.name(of: event) else { return nil }
        self.name = Array(name.utf8)
        self.key = group.wireKey(key)
    }

    /// Changes of what a group holds are heard of again (`live`), or no longer (`suspect`): an event of the group's own name.
    init(_ group: Group, hearsOfChanges: Bool) {
        name = Array((hearsOfChanges ? "live" : "suspect").utf8)
        key = Array(group.name.utf8)
    }

    /// What all channels of events begin with.
    static let channelPrefix = Array("__key".utf8)

    /// One message on one channel.
    struct Message {
        let channel: [UInt8]
        let text: [UInt8]
    }

    /// The event on both of its channels, in Redis' order.
    var messages: [Message] {
        [
            Message(channel: Array("__keyspace@0__:".utf8) + key, text: name),
            Message(channel: Array("__keyevent@0__:".utf8) + name, text: key),
        ]
    }

    /// About what it takes while it waits.
    var byteCount: Int { MemoryLayout<KeyspaceEvent>.size + 32 + key.count }

    private static func name(of event: GroupEvent) -> String? {
        switch event {
        case .loaded: "loaded"
        case .expired: "expired"
        case .evicted: "evicted"
        case .invalidated: "invalidated"
        case .replaced, .unkept: nil
        }
    }
}

extension Group {
    /// A key of the group as it is on the wire.
    package func wireKey(_ key: Key) -> [UInt8] {
        let name = Array(name.utf8)
        return keyParts == 0 ? name : name + [UInt8(ascii: ":")] + key.bytes
    }
}
