import RESP

/// An incremental parser of replies, for the clients in tests. It is written to be right, not fast.
///
/// It resumes like `RequestParser`: on `.incomplete` the caller appends what arrives and calls again with the same
/// beginning. Attributes are read and dropped. Memory is reserved only for what has arrived.
package struct ReplyParser: ~Copyable, Sendable {
    /// What `parse` found at the beginning of the bytes.
    package enum Progress: Sendable, Equatable {
        /// A reply that took so many bytes.
        case reply(Reply, byteCount: Int)
        /// Not yet a reply. It has at least so many bytes in all, which is never above the limit.
        case incomplete(atLeast: Int)
    }

    private let limits: ReplyLimits
    /// Where the next reply or part of one begins.
    private var next = 0
    /// How far the line that begins at `next` was searched for its end.
    private var scanned = 0
    /// The unfinished collections around `next`, the outermost first.
    private var open: [OpenCollection] = []

    /// A parser at the beginning of a connection.
    package init(limits: ReplyLimits = ReplyLimits()) {
        self.limits = limits
    }

    /// Parses one reply at the beginning of `bytes`.
    /// After an error the parser is as new, but the bytes have no known next reply.
    package mutating func parse(_ bytes: RawSpan) throws(ReplyError) -> Progress {
        do throws(ReplyError) {
            let progress = try parseParts(bytes.extracting(first: limits.replyBytes))
            if case .reply = progress { clear() }
            return progress
        } catch {
            clear()
            throw error
        }
    }

    private mutating func parseParts(_ bytes: RawSpan) throws(ReplyError) -> Progress {
        while true {
            switch try part(bytes) {
            case .needs(let count):
                guard bytes.byteCount < limits.replyBytes, count <= limits.replyBytes else { throw .tooBig }
                return .incomplete(atLeast: count)
            case .value(let reply, let end):
                advance(to: end)
                if let whole = close(with: reply) { return .reply(whole, byteCount: end) }
            case .collection(let kind, let count, let end):
                guard open.count < limits.depth else { throw .tooDeep }
                advance(to: end)
                open.append(OpenCollection(kind: kind, remaining: count))
                if count == 0, let whole = closeInnermost() { return .reply(whole, byteCount: end) }
            }
        }
    }

    private mutating func clear() {
        advance(to: 0)
        open.removeAll()
    }

    private mutating func advance(to offset: Int) {
        next = offset
        scanned = offset
    }

    /// Puts `reply` into the innermost open collection and closes those that it completes. The outermost is the result.
    private mutating func close(with reply: Reply) -> Reply? {
        guard let innermost = open.indices.last else { return reply }
        open[innermost].parts.append(reply)
        open[innermost].remaining -= 1
        return open[innermost].remaining == 0 ? closeInnermost() : nil
    }

    private mutating func closeInnermost() -> Reply? {
        while let collection = open.popLast() {
            // Attributes stand in front of a reply and aren't part of what they stand in.
            guard let reply = collection.reply else { return nil }
            guard let innermost = open.indices.last else { return reply }
            open[innermost].parts.append(reply)
            open[innermost].remaining -= 1
            if open[innermost].remaining > 0 { return nil }
        }
        return nil
    }
}

extension ReplyParser {
    /// A collection whose parts haven't all come.
    private struct OpenCollection: Sendable {
        enum Kind { case array, map, set, push, attribute }

        let kind: Kind
        /// The parts to come; a map of n pairs has 2n.
        var remaining: Int
        var parts: [Reply] = []

        /// Nil for attributes.
        var reply: Reply? {
            switch kind {
            case .array: .array(parts)
            case .set: .set(parts)
            case .push: .push(parts)
            case .map:
                .map(stride(from: 0, to: parts.count, by: 2).map { Reply.Entry(key: parts[$0], value: parts[$0 + 1]) })
            case .attribute: nil
            }
        }
    }

    /// What stands at `next`.
    private enum Part {
        case value(Reply, end: Int)
        case collection(OpenCollection.Kind, parts: Int, end: Int)
        case needs(Int)
    }

    private mutating func part(_ bytes: RawSpan) throws(ReplyError) -> Part {
        guard next < bytes.byteCount else { return .needs(next + 1) }
        let type = bytes.byte(at: next)
        switch type {
        case UInt8(ascii: "$"), UInt8(ascii: "!"), UInt8(ascii: "="):
            return try bulk(bytes, type)
        case UInt8(ascii: "*"): return try collection(bytes, .array, partsEach: 1)
        case UInt8(ascii: "~"): return try collection(bytes, .set, partsEach: 1)
        case UInt8(ascii: ">"): return try collection(bytes, .push, partsEach: 1)
        case UInt8(ascii: "%"): return try collection(bytes, .map, partsEach: 2)
        case UInt8(ascii: "|"): return try collection(bytes, .attribute, partsEach: 2)
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: ","), UInt8(ascii: "#"),
            UInt8(ascii: "_"), UInt8(ascii: "("):
            guard let end = try lineEnd(bytes) else { return .needs(bytes.byteCount + 1) }
            return .value(try Self.value(type, bytes.extracting(next + 1..<end - 2)), end: end)
        default: throw .unknownType(type)
        }
    }

    /// The offset behind the line that begins at `next`; nil while it hasn't come.
    private mutating func lineEnd(_ bytes: RawSpan) throws(ReplyError) -> Int? {
        while scanned < bytes.byteCount {
            let byte = bytes.byte(at: scanned)
            if byte == ASCII.lineFeed { throw .missingLineEnd }
            if byte == ASCII.carriageReturn {
                guard scanned + 1 < bytes.byteCount else { return nil }
                guard bytes.byte(at: scanned + 1) == ASCII.lineFeed else { throw .missingLineEnd }
                return scanned + 2
            }
            scanned += 1
        }
        return nil
    }

    private func collection(
        _ bytes: RawSpan, _ kind: OpenCollection.Kind, partsEach: Int
    ) throws(ReplyError) -> Part {
        switch LengthLine.read(bytes, from: next + 1, to: bytes.byteCount) {
        case .incomplete: return .needs(bytes.byteCount + 1)
        case .malformed: throw .invalidLength
        case .length(-1, let end) where kind == .array: return .value(.null, end: end)
        case .length(let count, let end):
            // A part has three bytes at least. At most 10 digits times 2 can't overflow.
            guard count >= 0, count * partsEach <= limits.replyBytes else { throw .invalidLength }
            return .collection(kind, parts: count * partsEach, end: end)
        }
    }

    private func bulk(_ bytes: RawSpan, _ type: UInt8) throws(ReplyError) -> Part {
        switch LengthLine.read(bytes, from: next + 1, to: bytes.byteCount) {
        case .incomplete: return .needs(bytes.byteCount + 1)
        case .malformed: throw .invalidLength
        case .length(-1, let end) where type == ASCII.dollar: return .value(.null, end: end)
        case .length(let length, let start):
            guard length >= 0 else { throw .invalidLength }
            let end = start + length
            guard end + 2 <= bytes.byteCount else { return .needs(end + 2) }
            guard bytes.byte(at: end) == ASCII.carriageReturn, bytes.byte(at: end + 1) == ASCII.lineFeed else {
                throw .missingLineEnd
            }
            return .value(try Self.bulkValue(type, bytes.extracting(start..<end)), end: end + 2)
        }
    }

    private static func bulkValue(_ type: UInt8, _ payload: RawSpan) throws(ReplyError) -> Reply {
        let bytes = payload.withUnsafeBytes { Array($0) }
        switch type {
        case UInt8(ascii: "!"): return .error(String(decoding: bytes, as: UTF8.self))
        case UInt8(ascii: "="):
            guard bytes.count >= 4, bytes[3] == UInt8(ascii: ":") else { throw .invalidValue }
            return .verbatim(format: String(decoding: bytes[..<3], as: UTF8.self), Array(bytes[4...]))
        default: return .bulk(bytes)
        }
    }

    private static func value(_ type: UInt8, _ line: RawSpan) throws(ReplyError) -> Reply {
        let text = line.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        switch type {
        case UInt8(ascii: "+"): return .simpleString(text)
        case UInt8(ascii: "-"): return .error(text)
        case UInt8(ascii: ":"):
            guard let value = Decimal.parse(line) else { throw .invalidValue }
            return .integer(value)
        case UInt8(ascii: "#"):
            guard text == "t" || text == "f" else { throw .invalidValue }
            return .boolean(text == "t")
        case UInt8(ascii: "_"):
            guard text.isEmpty else { throw .invalidValue }
            return .null
        case UInt8(ascii: "("):
            let digits = text.hasPrefix("-") || text.hasPrefix("+") ? text.dropFirst() : text[...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 &- ASCII.zero < 10 }) else { throw .invalidValue }
            return .bigNumber(text)
        default:
            return .double(try double(text))
        }
    }

    private static func double(_ text: String) throws(ReplyError) -> Double {
        switch text {
        case "inf": return .infinity
        case "-inf": return -.infinity
        case "nan", "-nan": return .nan
        default:
            // Double also reads hexadecimal, and words, which RESP3 doesn't have.
            guard text.utf8.allSatisfy({ "+-.eE0123456789".utf8.contains($0) }), let value = Double(text) else {
                throw .invalidValue
            }
            return value
        }
    }
}
