import CacheCore
import RESP

/// Replies as commands write them: bytes, and between them what is not copied or not yet there.
struct ReplyBuffer: ~Copyable {
    /// What stands between the bytes. (No tuple: an array of those has the runtime interpret what they are made of.)
    struct Insertion {
        enum Content {
            case shared(SharedBytes)
            case hole(Hole)
            /// No reply but this error.
            case failure(LoadError)
        }

        var offset: Int
        let content: Content

        init(_ content: Content, at offset: Int) {
            self.offset = offset
            self.content = content
        }
    }

    /// The replies' bytes. Commands append here.
    var bytes = OutputBuffer()
    private var insertions: [Insertion] = []
    private var sharedByteCount = 0
    /// How often something was taken out.
    private var takings = 0

    /// A position in the replies: the end of those before it.
    struct Position {
        fileprivate let byteCount: Int
        fileprivate let insertions: Int
        fileprivate let sharedByteCount: Int
        fileprivate let takings: Int
    }

    /// Longer values are not copied.
    static let copyLimit = Group.copyLimit

    /// Whether the bytes are all there is.
    var isPlain: Bool { insertions.isEmpty }
    /// Whether nothing was written.
    var isEmpty: Bool { bytes.isEmpty && insertions.isEmpty }
    /// What there is to send so far.
    var byteCount: Int { bytes.byteCount + sharedByteCount }

    /// The end of what was written so far.
    var end: Position {
        Position(
            byteCount: bytes.byteCount, insertions: insertions.count, sharedByteCount: sharedByteCount,
            takings: takings)
    }

    /// The beginning.
    var start: Position { Position(byteCount: 0, insertions: 0, sharedByteCount: 0, takings: takings) }

    /// Whether nothing in front of `start` was taken out since.
    func isCurrent(_ start: Position) -> Bool { start.takings == takings }

    /// What there is to send behind `start`.
    func byteCount(from start: Position) -> Int {
        byteCount - start.byteCount - start.sharedByteCount
    }

    /// Whether anything but bytes was written behind `start`.
    func hasHoles(from start: Position) -> Bool {
        insertions[start.insertions...].contains { if case .shared = $0.content { false } else { true } }
    }

    /// Appends what a load will bring.
    mutating func append(_ hole: Hole) {
        insertions.append(Insertion(.hole(hole), at: bytes.byteCount))
    }

    /// Appends a failure: the reply that it is part of is its error, whatever else was written.
    mutating func append(_ failure: LoadError) {
        insertions.append(Insertion(.failure(failure), at: bytes.byteCount))
    }

    /// Appends bytes that stay where they are.
    mutating func append(_ shared: SharedBytes) {
        insertions.append(Insertion(.shared(shared), at: bytes.byteCount))
        sharedByteCount += shared.byteCount
    }

    /// Appends what was taken out before.
    mutating func append(_ piece: ReplyPiece) {
        let start = bytes.byteCount
        bytes.append(piece.bytes.span.bytes)
        for insertion in piece.insertions {
            insertions.append(Insertion(insertion.content, at: start + insertion.offset))
            if case .shared(let shared) = insertion.content { sharedByteCount += shared.byteCount }
        }
    }

    /// How many things stand between the bytes.
    var insertionCount: Int { insertions.count }

    /// The hole behind everything that was written; nil when there is none.
    var lastHole: Hole? {
        if case .hole(let hole)? = insertions.last?.content { hole } else { nil }
    }

    /// Appends a value as `GET` answers it.
    mutating func appendText(_ value: Value, _ version: ProtocolVersion) {
        if value.isMissing { bytes.appendNull(version) } else { appendBulk(value) }
    }

    /// Appends a value's text as a bulk string.
    mutating func appendBulk(_ value: Value) {
        let count = value.text.byteCount
        guard count > Self.copyLimit else {
            bytes.appendBulk(value.text)
            return
        }
        appendRaw("$\(count)\r\n")
        append(SharedBytes(textOf: value))
        appendRaw("\r\n")
    }

    /// Takes out what was written behind `start`.
    mutating func take(from start: Position) -> ReplyPiece {
        let taken = ReplyPiece(
            bytes: bytes.bytes.extracting(droppingFirst: start.byteCount).withUnsafeBytes { Array($0) },
            insertions: takeInsertions(from: start), byteCount: byteCount(from: start))
        if start.byteCount == 0 { bytes.removeAll() } else { bytes.truncate(toByteCount: start.byteCount) }
        sharedByteCount = start.sharedByteCount
        takings &+= 1
        return taken
    }

    /// Takes out what was written behind `start` if it is one hole and nothing else; nil: it is not.
    mutating func takeLoneHole(from start: Position) -> Hole? {
        guard insertions.count == start.insertions + 1, bytes.byteCount == start.byteCount, let hole = lastHole else {
            return nil
        }
        insertions.removeLast()
        takings &+= 1
        return hole
    }

    /// Those behind `start`, by their offsets from it. In most cases they are all, and move without being counted anew.
    private mutating func takeInsertions(from start: Position) -> [Insertion] {
        var taken: [Insertion] = []
        if start.insertions == 0 {
            swap(&taken, &insertions)
        } else {
            taken = Array(insertions[start.insertions...])
            insertions.removeSubrange(start.insertions...)
        }
        if start.byteCount > 0 {
            for index in taken.indices { taken[index].offset -= start.byteCount }
        }
        return taken
    }

    /// Takes out everything.
    mutating func takeAll() -> ReplyPiece {
        take(from: start)
    }

    private mutating func appendRaw(_ text: String) {
        var text = text
        text.withUTF8 { bytes.append($0.span.bytes) }
    }
}

/// Replies that were taken out of a ``ReplyBuffer`` to wait.
struct ReplyPiece {
    let bytes: [UInt8]
    /// By offset into `bytes`, ascending.
    let insertions: [ReplyBuffer.Insertion]
    /// What there is to send, without what holes will bring.
    let byteCount: Int

    init(bytes: [UInt8], insertions: [ReplyBuffer.Insertion], byteCount: Int) {
        self.bytes = bytes
        self.insertions = insertions
        self.byteCount = byteCount
    }

    /// Bytes alone.
    init(of span: RawSpan) {
        self.init(bytes: span.withUnsafeBytes { Array($0) }, insertions: [], byteCount: span.byteCount)
    }

    /// Calls `body` with what is sent from where it is.
    func forEachShared(_ body: (SharedBytes) -> Void) {
        for insertion in insertions {
            if case .shared(let shared) = insertion.content { body(shared) }
        }
    }

    /// Calls `body` with the holes in their order.
    func forEachHole(_ body: (Hole) -> Void) {
        for insertion in insertions {
            if case .hole(let hole) = insertion.content { body(hole) }
        }
    }
}
