/// How one client is told of changes of what it keeps in a cache of its own (`CLIENT TRACKING`,
/// https://redis.io/docs/latest/develop/reference/client-side-caching/).
struct Tracking: Sendable, Equatable {
    /// Of which keys it is told.
    enum Mode: Sendable, Equatable {
        /// Those that it read.
        case all
        /// Those that it read right behind `CLIENT CACHING YES`.
        case optIn
        /// Those that it read, but for those right behind `CLIENT CACHING NO`.
        case optOut
        /// Those that begin with one of these, whatever it reads. All keys begin with the empty one.
        case broadcast([[UInt8]])
    }

    var mode: Mode
    /// It is not told of what it invalidated itself.
    var skipsOwn = false
    /// Who is told in its place.
    var redirect: Int?
    /// That one has gone.
    var isBroken = false
    /// What `CLIENT CACHING` said of the next request.
    var caching: Bool?

    var isBroadcast: Bool {
        switch mode {
        case .broadcast: true
        case .all, .optIn, .optOut: false
        }
    }

    /// The beginnings of keys that it asked to be told of.
    var prefixes: [[UInt8]] {
        switch mode {
        case .broadcast(let prefixes): prefixes
        case .all, .optIn, .optOut: []
        }
    }

    /// What it is told of a changed key because of how that begins: the key as the wire has it, with `prefix` in front if it
    /// asks so (`key_prefix`), or both, as it may ask either way.
    func texts(of key: [UInt8], prefix: [UInt8]) -> [[UInt8]] {
        switch mode {
        case .broadcast(let beginnings):
            (prefix.isEmpty ? [key] : [key, prefix + key]).filter { text in
                beginnings.contains { text.starts(with: $0) }
            }
        case .all, .optIn, .optOut: []
        }
    }

    /// Whether it is told of a key by the text that it asked with, whatever it reads, because of how that begins; or does not
    /// want to hear of such texts.
    func isTold(of text: [UInt8], as key: [UInt8], in keyspace: Keyspace) -> Bool {
        switch mode {
        case .broadcast(let beginnings):
            let isWanted = beginnings.contains { text.starts(with: $0) }
            return !isWanted || texts(of: key, prefix: keyspace.keyPrefix).contains(text)
        case .all, .optIn, .optOut: return false
        }
    }

    /// Whether it may be told so of keys of the group of a name.
    func mayMatchKeys(of name: [UInt8], prefix: [UInt8]) -> Bool {
        switch mode {
        case .broadcast(let beginnings):
            (prefix.isEmpty ? [name] : [name, prefix + name]).map { $0 + [UInt8(ascii: ":")] }.contains { text in
                beginnings.contains { text.starts(with: $0) || $0.starts(with: text) }
            }
        case .all, .optIn, .optOut: false
        }
    }

    /// Whether what the next request reads is remembered, as far as that is known without its keys.
    var remembers: Bool {
        switch mode {
        case .all, .broadcast: true
        case .optIn: caching == true
        case .optOut: caching != false
        }
    }

    /// What its prefixes take of what a client may keep here.
    var byteCount: Int { prefixes.reduce(0) { $0 + $1.count + 64 } }

    /// The most bytes that they may take.
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

/// What one client, or several of a loop, are told.
enum Notice: Sendable {
    /// One that read keys by these texts; and who invalidated them.
    case keys([[UInt8]], for: Int, by: Int?)
    /// One that read keys, of which there are too many to tell each.
    case everything(for: Int)
    /// All that asked for the beginning of a key: its text; and who invalidated it.
    case broadcast([UInt8], by: Int?)
    /// All that asked for a beginning that a key of the group may have: every key of it changed.
    case broadcastGroup([UInt8])
    /// All: nothing that they know is sure.
    case everythingForAll
    /// One in whose place another one asked for it; nil: everything.
    case redirected([[UInt8]]?, to: Int)

    /// About what it takes while it waits.
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
