/// One reply as a client sees it, RESP2 or RESP3.
package enum Reply: Sendable, Equatable {
    /// `+`: a status; invalid UTF-8 is replaced, here and in errors.
    case simpleString(String)
    /// `-`, or `!` when it came as a bulk: its code and text.
    case error(String)
    /// `:`
    case integer(Int)
    /// `$`: bytes.
    case bulk([UInt8])
    /// `_`, and RESP2's null bulk string and null array.
    case null
    /// `*`
    case array([Reply])
    /// `,`; NaN equals nothing.
    case double(Double)
    /// `#`
    case boolean(Bool)
    /// `(`: an integer of any size, its digits as they came.
    case bigNumber(String)
    /// `=`: bytes and the three letters of their format.
    case verbatim(format: String, [UInt8])
    /// `%`, in the order it came.
    case map([Entry])
    /// `~`, in the order it came.
    case set([Reply])
    /// `>`: something that wasn't asked for.
    case push([Reply])

    /// One pair of a map.
    package struct Entry: Sendable, Equatable {
        /// The pair's first half.
        package let key: Reply
        /// The pair's second half.
        package let value: Reply

        /// A pair.
        package init(key: Reply, value: Reply) {
            self.key = key
            self.value = value
        }
    }

    /// A bulk string of the UTF-8 of `text`.
    package static func bulk(_ text: String) -> Reply { .bulk(Array(text.utf8)) }

    /// Whether it is an error.
    package var isError: Bool {
        if case .error = self { true } else { false }
    }

    /// The text of a string of any kind or of an error, invalid UTF-8 replaced; nil for everything else.
    package var text: String? {
        switch self {
        case .simpleString(let text), .error(let text), .bigNumber(let text): text
        case .bulk(let bytes), .verbatim(_, let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer, .null, .array, .double, .boolean, .map, .set, .push: nil
        }
    }
}

/// The bounds of one reply.
package struct ReplyLimits: Sendable, Equatable {
    /// The bytes of one reply with all its framing.
    package var replyBytes: Int
    /// How deep arrays, maps, sets and pushes may stand in each other.
    package var depth: Int

    /// Limits for replies of a server that is trusted to some degree.
    /// Values beyond 2 GiB and below 1, and depths beyond 512, are brought inside: a reply is compared and freed
    /// recursively.
    package init(replyBytes: Int = 64 << 20, depth: Int = 16) {
        self.replyBytes = min(max(replyBytes, 1), Int(Int32.max))
        self.depth = min(max(depth, 0), 512)
    }
}

/// What is wrong with a reply's framing. After one nobody knows where the next reply would begin.
package enum ReplyError: Error, Sendable, Equatable {
    /// A reply begins with a byte that is no type, or one that needs streamed lengths, which aren't supported.
    case unknownType(UInt8)
    /// A length is no number, negative where that means nothing, or above what any limit allows.
    case invalidLength
    /// An integer, double, boolean, null, big number or verbatim string isn't written as one.
    case invalidValue
    /// CR LF is missing where a line or a bulk string ends.
    case missingLineEnd
    /// Deeper than `ReplyLimits.depth`.
    case tooDeep
    /// Larger than `ReplyLimits.replyBytes`.
    case tooBig
}
