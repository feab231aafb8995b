import CacheCore

/// What happened to an entry, as Redis' keyspace notifications tell it
/// (https://redis.io/docs/latest/develop/pubsub/keyspace-notifications/).
struct KeyspaceEvent: Sendable {
    let event: GroupEvent
    /// As it is on the wire.
    let key: [UInt8]

    /// What all channels of events begin with.
    static let channelPrefix = Array("__key".utf8)

    /// One message on one channel.
    struct Message {
        let channel: [UInt8]
        let text: [UInt8]
    }

    /// The event on both of its channels, in Redis' order.
    var messages: [Message] {
        let name = Self.name(of: event)
        return [
            Message(channel: Array("__keyspace@0__:".utf8) + key, text: name),
            Message(channel: Array("__keyevent@0__:".utf8) + name, text: key),
        ]
    }

    /// About what it takes while it waits.
    var byteCount: Int { MemoryLayout<KeyspaceEvent>.size + 32 + key.count }

    private static func name(of event: GroupEvent) -> [UInt8] {
        switch event {
        case .loaded: Array("loaded".utf8)
        case .expired: Array("expired".utf8)
        case .evicted: Array("evicted".utf8)
        case .invalidated: Array("invalidated".utf8)
        }
    }
}

extension Group {
    /// A key of the group as it is on the wire.
    func wireKey(_ key: Key) -> [UInt8] {
        let name = Array(name.utf8)
        return getter.keyParts == 0 ? name : name + [UInt8(ascii: ":")] + key.bytes
    }
}
