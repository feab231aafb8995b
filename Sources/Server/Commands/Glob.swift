import CLinux

/// Redis' patterns: `*` any bytes, `?` any byte, `[a-z]` and `[^a-z]` one of a set, `\` takes the next byte as it is.
///
/// Between two stars stands a piece that is looked for from left to right, and what was found is never tried again, so
/// matching takes linear time: a piece of plain bytes is found by memmem(3), any other one has at most 64 elements.
struct Glob: Sendable {
    /// The pattern.
    let bytes: [UInt8]
    private var pieces: [Piece] = []
    /// The least bytes that a text must have.
    private var least = 0

    /// What stands for exactly one byte.
    private enum Element {
        case byte(UInt8)
        case any
        /// Beside the others, which are many more: all would be as large.
        indirect case set(ByteSet)

        /// The memory that it takes.
        var byteCount: Int {
            switch self {
            case .byte, .any: MemoryLayout<Element>.stride
            case .set: MemoryLayout<Element>.stride + 2 * MemoryLayout<ByteSet>.stride
            }
        }

        @inline(__always)
        func matches(_ byte: UInt8) -> Bool {
            switch self {
            case .byte(let own): own == byte
            case .any: true
            case .set(let set): set.contains(byte)
            }
        }
    }

    private enum Piece {
        case plain([UInt8])
        case elements([Element])

        var count: Int {
            switch self {
            case .plain(let bytes): bytes.count
            case .elements(let elements): elements.count
            }
        }

        /// The memory that it takes beside the pattern.
        var byteCount: Int {
            switch self {
            case .plain: 0
            case .elements(let elements): elements.reduce(0) { $0 + $1.byteCount }
            }
        }
    }

    private static let mostElements = 64

    /// Why a pattern is none.
    static let tooComplex =
        "ERR the pattern has more than \(mostElements) bytes between two '*', with a '?' or '[' among them"

    /// Reads a pattern; nil when it is too complex.
    init?(_ pattern: RawSpan) {
        bytes = pattern.withUnsafeBytes { Array($0) }
        var reader = PatternReader(bytes)
        var plain: [UInt8] = []
        var elements: [Element] = []
        func endPiece() {
            pieces.append(elements.isEmpty ? .plain(plain) : .elements(elements))
            plain = []
            elements = []
        }
        while let next = reader.next() {
            switch next {
            case nil: if pieces.isEmpty || !plain.isEmpty || !elements.isEmpty { endPiece() }
            case .byte(let byte)? where elements.isEmpty: plain.append(byte)
            case let element?:
                if elements.isEmpty { elements = plain.map { .byte($0) } }
                elements.append(element)
            }
        }
        endPiece()
        least = pieces.reduce(0) { $0 + $1.count }
        for piece in pieces.dropFirst().dropLast() {
            if case .elements(let elements) = piece, elements.count > Self.mostElements { return nil }
        }
    }

    /// What it takes of a bound on bytes: its own, and what elements take beyond that.
    var cost: Int { pieces.reduce(bytes.count) { $0 + $1.byteCount } }

    /// Whether the whole of `text` matches. O(text + pattern).
    func matches(_ text: [UInt8]) -> Bool {
        guard text.count >= least, let first = pieces.first, let last = pieces.last else { return false }
        guard Self.matches(first, text, at: 0) else { return false }
        if pieces.count == 1 { return text.count == least }
        guard Self.matches(last, text, at: text.count - last.count) else { return false }
        let end = text.count - last.count
        var offset = first.count
        for piece in pieces[1..<pieces.count - 1] {
            guard let found = Self.find(piece, in: text, from: offset, to: end) else { return false }
            offset = found + piece.count
        }
        return offset <= end
    }

    /// Whether a piece stands at `offset`, where there is room for it.
    private static func matches(_ piece: Piece, _ text: [UInt8], at offset: Int) -> Bool {
        switch piece {
        case .plain(let bytes): text[offset..<offset + bytes.count].elementsEqual(bytes)
        case .elements(let elements): elements.indices.allSatisfy { elements[$0].matches(text[offset + $0]) }
        }
    }

    /// Where a piece occurs first.
    private static func find(_ piece: Piece, in text: [UInt8], from start: Int, to end: Int) -> Int? {
        guard start + piece.count <= end else { return nil }
        switch piece {
        case .plain(let bytes):
            return text.withUnsafeBytes { (text) -> Int? in
                guard let base = text.baseAddress else { return nil }
                return pgs_find(base + start, UInt(end - start), bytes, UInt(bytes.count)).map { $0 - base }
            }
        case .elements:
            return (start...end - piece.count).first { matches(piece, text, at: $0) }
        }
    }

    /// Reads a pattern element by element.
    private struct PatternReader {
        private let bytes: [UInt8]
        private var offset = 0

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        /// The next element; nil within: a star; nil: the end.
        mutating func next() -> Element?? {
            guard offset < bytes.count else { return nil }
            let byte = bytes[offset]
            offset += 1
            switch byte {
            case UInt8(ascii: "*"): return .some(nil)
            case UInt8(ascii: "?"): return .any
            case UInt8(ascii: "["): return .set(set())
            case UInt8(ascii: "\\") where offset < bytes.count:
                offset += 1
                return .byte(bytes[offset - 1])
            default: return .byte(byte)
            }
        }

        /// A set that is not closed ends with the pattern.
        private mutating func set() -> ByteSet {
            var set = ByteSet()
            let isNegated = offset < bytes.count && bytes[offset] == UInt8(ascii: "^")
            if isNegated { offset += 1 }
            while offset < bytes.count, bytes[offset] != UInt8(ascii: "]") {
                if bytes[offset] == UInt8(ascii: "\\"), offset + 1 < bytes.count { offset += 1 }
                let low = Int(bytes[offset])
                if offset + 2 < bytes.count, bytes[offset + 1] == UInt8(ascii: "-"),
                    bytes[offset + 2] != UInt8(ascii: "]")
                {
                    let high = Int(bytes[offset + 2])
                    set.insert(min(low, high), max(low, high))
                    offset += 3
                } else {
                    set.insert(low, low)
                    offset += 1
                }
            }
            offset += 1
            return isNegated ? set.inverted : set
        }
    }
}

/// A set of bytes: one bit for each.
private struct ByteSet: Sendable {
    private var words = SIMD4<UInt64>()

    /// Takes in the bytes from `low` to `high`.
    mutating func insert(_ low: Int, _ high: Int) {
        for word in 0..<4 {
            let first = max(low, word * 64)
            let last = min(high, word * 64 + 63)
            guard first <= last else { continue }
            words[word] |= (UInt64.max >> UInt64(63 - (last - first))) << UInt64(first & 63)
        }
    }

    func contains(_ byte: UInt8) -> Bool { (words[Int(byte >> 6)] >> UInt64(byte & 63)) & 1 == 1 }

    var inverted: ByteSet {
        var set = self
        set.words = ~words
        return set
    }
}
