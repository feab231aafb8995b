import Glibc

/// One entry's bytes:
///
///     header | marks, if any | key | value
///
/// The value is the text; for an entry with fields it is the text's length (UInt32), the text and the fields; for a large
/// one it is a retained reference to a ``LargeBlock``. Unsafe because the block's layout is known to this file alone; the
/// slot that points to it says how to read it, and both change under the shard's lock only.
struct Record {
    /// Up to this length a value is copied out under the lock; above, it is handed out by reference.
    static let copyLimit = 16 * 1024
    /// The longest key that an entry can have: with the longest value that is copied, and all the rest, a record has less
    /// than 64 KiB.
    static let keyLimit = 32 * 1024

    private static let header = RecordHeader.byteCount

    let base: UnsafeMutableRawPointer
    let size: Int
    let keyLength: Int
    let flags: Slot.Flags

    @inline(__always)
    init?(_ slot: Slot) {
        guard let base = slot.record else { return nil }
        self.base = base
        let header = RecordHeader(base)
        size = Int(header.size)
        keyLength = Int(header.keyLength)
        flags = slot.flags
    }

    /// Where the key begins.
    @inline(__always)
    private var start: UnsafeMutableRawPointer {
        base + Self.header + (flags.contains(.marks) ? MemoryLayout<Marks>.size : 0)
    }

    /// The flags that tell how the value is laid out.
    static func flags(for value: Value) -> Slot.Flags {
        var flags: Slot.Flags = []
        if value.isMissing { flags.insert(.negative) }
        if value.hasFields { flags.insert(.fields) }
        if value.byteCount > copyLimit { flags.insert(.large) }
        return flags
    }

    /// Allocates and fills the record of a new entry.
    static func make(
        key: RawSpan, value: Value, marks: Marks?, for slot: SlotIndex, in room: inout RecordRoom
    ) -> UnsafeMutableRawPointer? {
        let flags = flags(for: value)
        let size = size(keyLength: key.byteCount, value: value, marks: marks != nil)
        let block = flags.contains(.large) ? value.block ?? value.blocked()?.block : nil
        if flags.contains(.large), block == nil { return nil }
        guard let base = room.allocate(size, keyLength: key.byteCount, for: slot) else { return nil }
        var cursor = base + header
        if let marks {
            cursor.storeBytes(of: marks, as: Marks.self)
            cursor += MemoryLayout<Marks>.size
        }
        key.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { memcpy(cursor, source, bytes.count) }
        }
        cursor += key.byteCount
        if let block {
            let reference = Unmanaged.passRetained(block).toOpaque()
            cursor.storeBytes(of: reference, as: UnsafeMutableRawPointer.self)
            return base
        }
        if flags.contains(.fields) {
            cursor.storeBytes(of: UInt32(truncatingIfNeeded: value.textLength), as: UInt32.self)
            cursor += 4
        }
        value.bytes.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { memcpy(cursor, source, bytes.count) }
        }
        return base
    }

    /// Lets go of what it refers to, and gives its room back. Its slot must not refer to it any more; other records move.
    func destroy(in room: inout RecordRoom, slots: borrowing Pages<Slot>) {
        releaseReference()
        room.release(base, in: slots)
    }

    /// Lets go of what it refers to. Its room goes with its pages.
    func releaseReference() {
        if flags.contains(.large) { reference.release() }
    }

    /// The key.
    var key: RawSpan {
        @_lifetime(borrow self)
        get { _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: keyLength), borrowing: self) }
    }

    /// When to refresh, if the entry knows.
    var marks: Marks? {
        flags.contains(.marks) ? (base + Self.header).loadUnaligned(as: Marks.self) : nil
    }

    /// Changes marks that are there.
    func setMarks(_ marks: Marks) {
        if flags.contains(.marks) { (base + Self.header).storeBytes(of: marks, as: Marks.self) }
    }

    /// Makes sure that a time to refresh that has passed is still told as passed after up to ``Tick/farthest`` more steps.
    /// Returns whether there are marks.
    func renewMarks(at now: Tick) -> Bool {
        guard var marks else { return false }
        if marks.refresh.isReached(at: now) {
            marks.refresh = now
            setMarks(marks)
        }
        return true
    }

    @inline(__always)
    func hasKey(_ other: RawSpan) -> Bool {
        guard other.byteCount == keyLength else { return false }
        return other.withUnsafeBytes { bytes in
            guard let bytes = bytes.baseAddress else { return true }
            return memcmp(start, bytes, keyLength) == 0
        }
    }

    /// The part of the value that `form` asks for; of an entry that is not large.
    private func bytes(_ form: Form) -> UnsafeRawBufferPointer {
        let start = start + keyLength
        let length = size - (start - base)
        guard flags.contains(.fields) else {
            return UnsafeRawBufferPointer(start: start, count: form == .text ? length : 0)
        }
        let textLength = Int(start.loadUnaligned(as: UInt32.self))
        switch form {
        case .text: return UnsafeRawBufferPointer(start: start + 4, count: textLength)
        case .fields: return UnsafeRawBufferPointer(start: start + 4 + textLength, count: length - 4 - textLength)
        // The whole is handed out as a `Value`.
        case .whole, .none: return UnsafeRawBufferPointer(start: start, count: 0)
        }
    }

    /// Copies the part of the value that `form` asks for; of an entry that is not large. False when it does not fit.
    @inline(__always)
    func copy(_ form: Form, into output: inout OutputRawSpan) -> Bool {
        let bytes = bytes(form)
        guard bytes.count <= output.freeCapacity else { return false }
        output.withUnsafeMutableBytes { room, filled in
            // Within bounds: checked against the free capacity above.
            if let source = bytes.baseAddress, let target = room.baseAddress {
                memcpy(target + filled, source, bytes.count)
                filled += bytes.count
            }
        }
        return true
    }

    /// The whole value.
    var value: Value {
        if flags.contains(.negative) { return .missing }
        if flags.contains(.large) { return Value(reference.takeUnretainedValue()) }
        let text = bytes(.text)
        guard flags.contains(.fields) else { return Value(text: Array(text)) }
        return Value(storage: Array(text) + Array(bytes(.fields)), textLength: text.count)
    }

    /// Whether it has the same bytes as `other`; of a long value that is not looked at, and false.
    func holds(_ other: Value) -> Bool {
        if flags.contains(.negative) || other.isMissing { return flags.contains(.negative) && other.isMissing }
        guard !flags.contains(.large), flags.contains(.fields) == other.hasFields else { return false }
        return other.text.withUnsafeBytes { $0.elementsEqual(bytes(.text)) }
            && other.fields.withUnsafeBytes { $0.elementsEqual(bytes(.fields)) }
    }

    private var reference: Unmanaged<LargeBlock> {
        // Stored by `make` when the flag is set, so never null.
        Unmanaged.fromOpaque((start + keyLength).loadUnaligned(as: UnsafeMutableRawPointer.self))
    }

    // MARK: What it costs

    /// What an entry's record takes.
    static func cost(keyLength: Int, value: Value, marks: Bool) -> Int {
        let record = RecordPages.cost(size(keyLength: keyLength, value: value, marks: marks))
        return value.byteCount > copyLimit ? record + LargeBlock.cost(value.byteCount) : record
    }

    /// What this record takes; the same number as when it was made.
    var cost: Int {
        let record = RecordPages.cost(size)
        return flags.contains(.large) ? record + LargeBlock.cost(reference.takeUnretainedValue().byteCount) : record
    }

    private static func size(keyLength: Int, value: Value, marks: Bool) -> Int {
        let front = header + (marks ? MemoryLayout<Marks>.size : 0) + keyLength
        if value.byteCount > copyLimit { return front + MemoryLayout<UnsafeRawPointer>.size }
        return front + value.byteCount + (value.hasFields ? 4 : 0)
    }
}

extension Key {
    /// That of an entry. O(length).
    init(_ record: Record) {
        self.init(copying: record.key)
    }
}
