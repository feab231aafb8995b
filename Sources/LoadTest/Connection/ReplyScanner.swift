import Groundwork
import RESP

/// Tells replies of RESP2 apart without keeping what they say, however they are cut: all that a load generator asks of most.
///
/// A value is skipped by its length, so a reply costs the reading of its first line.
struct ReplyScanner {
    /// A reply that is not just values.
    enum Odd: Equatable {
        /// It has nils: ``missing`` tells where.
        case missing
        /// It is an error: ``error`` is its text.
        case error
    }

    /// Which elements of the reply that ended last were nil; `[0]` when all of it was.
    private(set) var missing: [Int] = []
    /// The last error's text.
    private(set) var error = ""

    /// Bytes of a bulk string, and of its line end, that are still to come.
    private var skip = 0
    /// Elements of the array under way that are still to come; 0: the next line begins a reply.
    private var elementsDue = 0
    private var element = 0
    /// The beginning of a line that was cut.
    private var line: [UInt8] = []

    /// Longer lines are no reply's.
    private static let longestLine = 64 << 10

    /// Scans `bytes` from `offset` on, to their end or to the end of an odd reply, and returns how many replies of nothing but
    /// values ended before that.
    mutating func scan(_ bytes: RawSpan, from offset: inout Int) throws(ConnectionError) -> (plain: Int, odd: Odd?) {
        var plain = 0
        while offset < bytes.byteCount {
            if skip > 0 {
                let count = min(skip, bytes.byteCount - offset)
                offset += count
                skip -= count
                guard skip == 0 else { break }
            } else {
                guard let begun = try takeLine(bytes, from: &offset) else { break }
                guard begun else { continue }
            }
            // An element ended.
            if elementsDue > 0 { elementsDue -= 1 }
            element += 1
            guard elementsDue == 0 else { continue }
            element = 0
            if !error.isEmpty { return (plain, .error) }
            if !missing.isEmpty { return (plain, .missing) }
            plain += 1
        }
        return (plain, nil)
    }

    /// To be called before the scan goes on behind an odd reply.
    mutating func forget() {
        missing.removeAll(keepingCapacity: true)
        error = ""
    }

    /// Takes a line. Nil: it has not come whole. True: an element ended with it.
    private mutating func takeLine(_ bytes: RawSpan, from offset: inout Int) throws(ConnectionError) -> Bool? {
        var end = offset
        while end < bytes.byteCount, bytes.byte(at: end) != ASCII.lineFeed { end += 1 }
        guard line.count + end - offset <= Self.longestLine else {
            throw ConnectionError("what came is no reply of RESP2: a line without end")
        }
        let isCut = end == bytes.byteCount
        if isCut || !line.isEmpty {
            line.append(copying: bytes.extracting(offset..<min(end + 1, bytes.byteCount)))
            offset = min(end + 1, bytes.byteCount)
            if isCut { return nil }
            let whole = line
            line.removeAll(keepingCapacity: true)
            return try begin(whole.span.bytes, from: 0, to: whole.count)
        }
        defer { offset = end + 1 }
        return try begin(bytes, from: offset, to: end + 1)
    }

    /// What a line begins, or is. True when an element ended with it.
    private mutating func begin(_ bytes: RawSpan, from start: Int, to end: Int) throws(ConnectionError) -> Bool {
        switch bytes.byte(at: start) {
        case UInt8(ascii: "$"):
            let length = try length(bytes, from: start + 1, to: end)
            guard length >= 0 else {
                missing.append(element)
                return true
            }
            skip = length + 2
            return false
        case UInt8(ascii: "*"):
            guard elementsDue == 0 else { throw ConnectionError("an array in an array, which nobody asked for") }
            let count = try length(bytes, from: start + 1, to: end)
            if count < 0 { missing.append(0) }
            elementsDue = max(0, count)
            return count <= 0
        case UInt8(ascii: "+"), UInt8(ascii: ":"):
            return true
        case UInt8(ascii: "-"):
            error = bytes.extracting(start + 1..<max(start + 1, end - 2)).withUnsafeBytes {
                String(decoding: $0, as: UTF8.self)
            }
            if error.isEmpty { error = "an error without a text" }
            return true
        default:
            throw ConnectionError("what came is no reply of RESP2")
        }
    }

    private func length(_ bytes: RawSpan, from start: Int, to end: Int) throws(ConnectionError) -> Int {
        guard case .length(let length, _) = LengthLine.read(bytes, from: start, to: end) else {
            throw ConnectionError("a reply's length is no number")
        }
        return length
    }
}
