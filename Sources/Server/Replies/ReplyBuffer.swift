import CacheCore
import RESP

/// Replies as commands write them: bytes, and between them what is not copied or not yet there.
struct ReplyBuffer: ~Copyable {
    /// What stands between the bytes.
    enum Insertion {
        case shared(SharedBytes)
        case hole(Hole)
    }

    /// The replies' bytes. Commands append here.
    var bytes = OutputBuffer()
    private var insertions: [(offset: Int, content: Insertion)] = []
    private var sharedByteCount = 0

    /// A place in the replies: the end of those before it.
    struct Mark {
        fileprivate let byteCount: Int
        fileprivate let insertions: Int
        fileprivate let sharedByteCount: Int
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
    var mark: Mark {
        Mark(byteCount: bytes.byteCount, insertions: insertions.count, sharedByteCount: sharedByteCount)
    }

    /// What there is to send behind `mark`.
    func byteCount(from mark: Mark) -> Int {
        byteCount - mark.byteCount - mark.sharedByteCount
    }

    /// Whether anything but bytes was written behind `mark`.
    func hasHoles(from mark: Mark) -> Bool {
        insertions[mark.insertions...].contains { if case .hole = $0.content { true } else { false } }
    }

    /// Appends what a load will bring.
    mutating func append(_ hole: Hole) {
        insertions.append((bytes.byteCount, .hole(hole)))
    }

    /// Appends bytes that stay where they are.
    mutating func append(_ shared: SharedBytes) {
        insertions.append((bytes.byteCount, .shared(shared)))
        sharedByteCount += shared.byteCount
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

    /// Takes out what was written behind `mark`.
    mutating func take(from mark: Mark) -> ReplyPiece {
        let taken = ReplyPiece(
            bytes: bytes.bytes.extracting(droppingFirst: mark.byteCount).withUnsafeBytes { Array($0) },
            insertions: takeInsertions(from: mark), byteCount: byteCount(from: mark))
        if mark.byteCount == 0 { bytes.removeAll() } else { bytes.truncate(toByteCount: mark.byteCount) }
        sharedByteCount = mark.sharedByteCount
        return taken
    }

    /// Those behind `mark`, by their offsets from it. In most cases they are all, and move without being counted anew.
    private mutating func takeInsertions(from mark: Mark) -> [(offset: Int, content: Insertion)] {
        var taken: [(offset: Int, content: Insertion)] = []
        if mark.insertions == 0 {
            swap(&taken, &insertions)
        } else {
            taken = Array(insertions[mark.insertions...])
            insertions.removeSubrange(mark.insertions...)
        }
        if mark.byteCount > 0 {
            for index in taken.indices { taken[index].offset -= mark.byteCount }
        }
        return taken
    }

    /// Takes out everything.
    mutating func takeAll() -> ReplyPiece {
        take(from: Mark(byteCount: 0, insertions: 0, sharedByteCount: 0))
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
    let insertions: [(offset: Int, content: ReplyBuffer.Insertion)]
    /// What there is to send, without what holes will bring.
    let byteCount: Int

    init(bytes: [UInt8], insertions: [(offset: Int, content: ReplyBuffer.Insertion)], byteCount: Int) {
        self.bytes = bytes
        self.insertions = insertions
        self.byteCount = byteCount
    }

    /// Bytes alone.
    init(of span: RawSpan) {
        self.init(bytes: span.withUnsafeBytes { Array($0) }, insertions: [], byteCount: span.byteCount)
    }

    /// Calls `body` with the holes in their order.
    func forEachHole(_ body: (Hole) -> Void) {
        for insertion in insertions {
            if case .hole(let hole) = insertion.content { body(hole) }
        }
    }
}
