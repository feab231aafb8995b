/// How one client is told of changes to what it keeps in a cache of its own (`CLIENT TRACKING`,
/// https://redis.io/docs/latest/develop/reference/client-side-caching/).
struct Tracking: Sendable, Equatable {
    /// Which keys it is told of.
    enum Mode: Sendable, Equatable {
        /// Those that it has read.
        case all
        /// Those that it has read right after `CLIENT CACHING YES`.
        case optIn
        /// Those that it has read, but for those right after `CLIENT CACHING NO`.
        case optOut
        /// Those that begin with one of these prefixes, whatever it reads. All keys begin with the empty one.
        case broadcast([[UInt8]])
    }

    var mode: Mode
    /// Whether it is not told of what it invalidated itself (`NOLOOP`).
    var skipsOwn = false
    /// The client that is told in its place (`REDIRECT`).
    var redirect: Int?
    /// Whether that one has gone.
    var isBroken = false
    /// What `CLIENT CACHING` said about the next request.
    var caching: Bool?

    var isBroadcast: Bool {
        switch mode {
        case .broadcast: true
        case .all, .optIn, .optOut: false
        }
    }

    /// The prefixes of the keys that it asked to be told of.
    var prefixes: [[UInt8]] {
        switch mode {
        case .broadcast(let prefixes): prefixes
        case .all, .optIn, .optOut: []
        }
    }

    /// What it is told when a key changed that has one of its prefixes: the key as it stands on the wire, or with `prefix`
    /// (`key_prefix`) in front, or both, since it may ask for either.
    func texts(of key: [UInt8], prefix: [UInt8]) -> [[UInt8]] {
        switch mode {
        case .broadcast(let beginnings):
            (prefix.isEmpty ? [key] : [key, prefix + key]).filter { text in
                beginnings.contains { text.starts(with: $0) }
            }
        case .all, .optIn, .optOut: []
        }
    }

    /// Whether a broadcast tells it of a key under the very text that it asked with, or it does not want to hear of such texts.
    func isTold(of text: [UInt8], as key: [UInt8], in keyspace: Keyspace) -> Bool {
        switch mode {
        case .broadcast(let beginnings):
            let isWanted = beginnings.contains { text.starts(with: $0) }
            return !isWanted || texts(of: key, prefix: keyspace.keyPrefix).contains(text)
        case .all, .optIn, .optOut: return false
        }
    }

    /// Whether a broadcast may tell it of keys of the group with this name.
    func mayMatchKeys(of name: [UInt8], prefix: [UInt8]) -> Bool {
        switch mode {
        case .broadcast(let beginnings):
            (prefix.isEmpty ? [name] : [name, prefix + name]).map { $0 + [UInt8(ascii: ":")] }.contains { text in
                beginnings.contains { text.starts(with: $0) || $0.starts(with: text) }
            }
        case .all, .optIn, .optOut: false
        }
    }

    /// Whether what the next request reads is remembered, as far as that can be said without its keys.
    var remembers: Bool {
        switch mode {
        case .all, .broadcast: true
        case .optIn: caching == true
        case .optOut: caching != false
        }
    }

    /// About how many bytes its prefixes take.
    var byteCount: Int { prefixes.reduce(0) { $0 + $1.count + 64 } }

    /// The most that they may take.
    static let limit = 64 << 10

    /// What `CLIENT TRACKINGINFO` calls it.
    var flags: [String] {
        var flags = ["on"]
        switch mode {
        case .all: break
        case .optIn: flags.append("optin")
        case .optOut: flags.append("optout")
        case .broadcast: flags.append("bcast")
        }
        if let caching { flags.append(caching ? "caching-yes" : "caching-no") }
        if skipsOwn { flags.append("noloop") }
        if isBroken { flags.append("broken_redirect") }
        return flags
    }
}

/// What one client, or several of a loop, have to be told.
enum Notice: Sendable {
    /// To a client that has read keys under these texts; and who invalidated them.
    case keys([[UInt8]], for: Int, by: Int?)
    /// To a client that has read more keys than are told one by one.
    case everything(for: Int)
    /// To all that asked for a prefix of a key: its text; and who invalidated it.
    case broadcast([UInt8], by: Int?)
    /// To all that asked for a prefix that a key of the group may have: every key of it changed.
    case broadcastGroup([UInt8])
    /// To all: anything may have changed.
    case everythingForAll
    /// To the client that another one named with `REDIRECT`; nil: everything.
    case redirected([[UInt8]]?, to: Int)

    /// About how many bytes it takes while it waits.
    var byteCount: Int {
        let texts: [[UInt8]] =
            switch self {
            case .keys(let texts, _, _): texts
            case .broadcast(let text, _), .broadcastGroup(let text): [text]
            case .redirected(let texts, _): texts ?? []
            case .everything, .everythingForAll: []
            }
        return texts.reduce(MemoryLayout<Notice>.size) { $0 + 32 + $1.count }
    }
}
