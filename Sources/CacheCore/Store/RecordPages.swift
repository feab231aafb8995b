import Glibc

/// Room for one store's records: pages that are filled from front to back. A record that goes leaves a hole; when holes
/// take more than a twentieth, the page with the most is emptied by moving its records to the front, and used again. So
/// records of any mix of lengths lie close together, whatever came and went before them, without a header of malloc's.
///
/// Log-structured memory: S. Rumble et al., "Log-structured Memory for DRAM-based Storage", FAST 2014.
///
/// Unsafe because it hands out addresses; the slots that hold them are told of each move. Every record begins with a
/// ``RecordHeader``.
struct RecordPages: ~Copyable {
    /// Up to this size a record is short. At a page's end there is room for half a record on average, so long ones have
    /// longer pages, and a store that has no long ones has none of those.
    static let shortLimit = 512

    /// Where the pages come from.
    private let pool: PagePool
    /// One byte of holes to so many of records is borne, and a page of them.
    private let holeShare: Int

    private var pages: ContiguousArray<UnsafeMutableRawPointer> = []
    /// By page, how many of its bytes are holes.
    private var holes: ContiguousArray<UInt32> = []
    /// The number of the page that is being filled.
    private var open: Int?
    /// Where ``mostHoles()`` looked last.
    private var next = 0
    /// Bytes of all records, and of all holes.
    private var live = 0
    private var dead = 0

    private let pageSize: Int

    /// What stands at the beginning of each page.
    private struct PageHeader {
        /// Its index in `pages`.
        var number: UInt32
        /// Where the next record goes.
        var end: UInt32
    }

    private init(_ pool: PagePool, holeShare: Int) {
        self.pool = pool
        self.holeShare = holeShare
        pageSize = pool.pageSize
    }

    /// Room for short records.
    static func short() -> RecordPages { RecordPages(.records, holeShare: 20) }
    /// Room for long records. Moving them costs more, so more holes are borne.
    static func long() -> RecordPages { RecordPages(.longRecords, holeShare: 12) }

    deinit {
        for page in pages { pool.release(page) }
    }

    /// What a record of `size` bytes takes: with a sixteenth, or an eighth, for its share of holes and of what stays free at a
    /// page's end.
    static func cost(_ size: Int) -> Int {
        let step = step(size)
        return step + (size > shortLimit ? step / 8 : step / 16)
    }

    /// How many pages are looked at for the one to empty: it takes well under a microsecond, and more would hardly find a
    /// better one.
    private static let lookedAt = 256
    /// How many pages are emptied at once: more than a single record can make necessary, and not long under a lock.
    private static let emptied = 4

    /// Room for `size` bytes, its header written; nil when the system has no memory. The address is a multiple of four.
    mutating func allocate(_ size: Int, keyLength: Int, for slot: SlotIndex) -> UnsafeMutableRawPointer? {
        guard let record = take(Self.step(size)) else { return nil }
        RecordHeader(
            size: UInt16(truncatingIfNeeded: size), keyLength: UInt16(truncatingIfNeeded: keyLength), slot: slot
        ).write(to: record)
        return record
    }

    /// Gives a record's room back. The address in its slot must be another by now. Moves other records.
    mutating func release(_ record: UnsafeMutableRawPointer, in slots: borrowing Pages<Slot>) {
        let header = RecordHeader(record)
        leaveHole(record, header)
        let page = Int(self.header(record).pointee.number)
        if page != open, isEmpty(page) { drop(page) }
        for _ in 0..<Self.emptied {
            guard dead > live / holeShare + pageSize, let page = mostHoles(), empty(page, in: slots) else {
                return
            }
        }
    }

    // MARK: Pages

    private static func step(_ size: Int) -> Int { (size + 3) & ~3 }

    /// The header of the page that a record is in.
    private func header(_ record: UnsafeMutableRawPointer) -> UnsafeMutablePointer<PageHeader> {
        let offset = Int(bitPattern: record) & (pageSize - 1)
        return (record - offset).assumingMemoryBound(to: PageHeader.self)
    }

    private func header(of page: Int) -> UnsafeMutablePointer<PageHeader> {
        pages[page].assumingMemoryBound(to: PageHeader.self)
    }

    private func isEmpty(_ page: Int) -> Bool {
        Int(holes[page]) + MemoryLayout<PageHeader>.size == Int(header(of: page).pointee.end)
    }

    private mutating func take(_ step: Int) -> UnsafeMutableRawPointer? {
        if let open, Int(header(of: open).pointee.end) + step <= pageSize { return take(step, from: open) }
        guard let page = pool.allocate() else { return nil }
        let number = pages.count
        page.bindMemory(to: PageHeader.self, capacity: 1).initialize(
            to: PageHeader(
                number: UInt32(truncatingIfNeeded: number), end: UInt32(MemoryLayout<PageHeader>.size)))
        pages.append(page)
        holes.append(0)
        open = number
        return take(step, from: number)
    }

    private mutating func take(_ step: Int, from page: Int) -> UnsafeMutableRawPointer {
        let header = header(of: page)
        defer { header.pointee.end += UInt32(truncatingIfNeeded: step) }
        live += step
        return pages[page] + Int(header.pointee.end)
    }

    private mutating func leaveHole(_ record: UnsafeMutableRawPointer, _ header: RecordHeader) {
        let step = Self.step(Int(header.size))
        RecordHeader(size: header.size, keyLength: header.keyLength, slot: .none).write(to: record)
        holes[Int(self.header(record).pointee.number)] += UInt32(truncatingIfNeeded: step)
        live -= step
        dead += step
    }

    /// Gives a page without records back. The last one gets its number.
    private mutating func drop(_ page: Int) {
        dead -= Int(holes[page])
        let last = pages.count - 1
        pages.swapAt(page, last)
        holes.swapAt(page, last)
        // Perhaps its own: it is given back after this, as another thread may have it then, or nobody.
        header(of: page).pointee.number = UInt32(truncatingIfNeeded: page)
        if open == last { open = page }
        holes.removeLast()
        pool.release(pages.removeLast())
    }

    /// The page with the most holes among some hundred in turn, except the one that is being filled. It has at least half of
    /// what pages have on average, so that emptying it gains more than what made it necessary.
    private mutating func mostHoles() -> Int? {
        var best: Int?
        var most: UInt32 = 0
        for looked in 0..<pages.count {
            if looked >= Self.lookedAt, Int(most) * pages.count * 2 >= dead { break }
            next = next + 1 < pages.count ? next + 1 : 0
            if holes[next] > most, next != open {
                best = next
                most = holes[next]
            }
        }
        return best
    }

    /// Moves the records of a page to the one that is being filled, and gives it back. False when the system has no memory
    /// for it.
    private mutating func empty(_ page: Int, in slots: borrowing Pages<Slot>) -> Bool {
        var record = pages[page] + MemoryLayout<PageHeader>.size
        let end = pages[page] + Int(header(of: page).pointee.end)
        while record < end {
            let header = RecordHeader(record)
            let step = Self.step(Int(header.size))
            if header.slot != .none {
                guard let target = take(step) else { return false }
                memcpy(target, record, step)
                slots[Int(header.slot)].pointee.record = target
                leaveHole(record, header)
            }
            record += step
        }
        drop(page)
        return true
    }

    // MARK: Checks

    /// Bytes of all pages.
    var pageBytes: Int { pages.count * pageSize }

    /// Its broken invariants, in words; empty when all hold. For tests. O(n).
    func invariantViolations(in slots: borrowing Pages<Slot>) -> [String] {
        var violations: [String] = []
        var (live, dead) = (0, 0)
        for page in pages.indices {
            var record = pages[page] + MemoryLayout<PageHeader>.size
            let end = pages[page] + Int(header(of: page).pointee.end)
            while record < end {
                let header = RecordHeader(record)
                let step = Self.step(Int(header.size))
                if header.slot == .none { dead += step } else { live += step }
                if header.slot != .none, slots[Int(header.slot)].pointee.record != record {
                    violations.append("the record of slot \(header.slot) is elsewhere")
                }
                record += step
            }
            if header(of: page).pointee.number != page { violations.append("page \(page) has another number") }
        }
        if live != self.live { violations.append("\(live) bytes of records, live says \(self.live)") }
        if dead != self.dead { violations.append("\(dead) bytes of holes, dead says \(self.dead)") }
        if dead > live / holeShare + 2 * pageSize {
            violations.append("\(dead) bytes of holes in \(live)")
        }
        return violations
    }
}

/// The beginning of every record: eight bytes.
struct RecordHeader {
    /// Bytes of the record, with this.
    let size: UInt16
    /// Bytes of the key.
    let keyLength: UInt16
    /// The slot that has its address; none in a hole.
    let slot: SlotIndex

    static let byteCount = 8

    init(size: UInt16, keyLength: UInt16, slot: SlotIndex) {
        self.size = size
        self.keyLength = keyLength
        self.slot = slot
    }

    @inline(__always)
    init(_ record: UnsafeMutableRawPointer) {
        size = record.load(as: UInt16.self)
        keyLength = record.load(fromByteOffset: 2, as: UInt16.self)
        slot = record.load(fromByteOffset: 4, as: SlotIndex.self)
    }

    func write(to record: UnsafeMutableRawPointer) {
        record.storeBytes(of: size, as: UInt16.self)
        record.storeBytes(of: keyLength, toByteOffset: 2, as: UInt16.self)
        record.storeBytes(of: slot, toByteOffset: 4, as: SlotIndex.self)
    }
}
