/// The entries of one shard: slots, an index by key, an order for eviction and a calendar for expiry. No lock: the shard
/// that owns it has one. Everything but ``sweepPage(at:leaving:expired:)`` and ``keys`` is O(1), amortized.
struct EntryStore: ~Copyable {
    private(set) var slots = Pages<Slot>()
    private var records = RecordRoom()
    private var index = HashIndex()
    private var policy: any EvictionPolicy
    private let resolution: UInt32
    private var vacant = SlotIndex.none
    /// For each page of slots a time before which none of its entries expires; nil: never. It makes expiry a matter of
    /// looking at the pages that are due, at no cost for each entry.
    private var calendar: ContiguousArray<Tick?> = []
    /// The page that was swept last.
    private var swept = 0
    private(set) var count = 0
    /// Of them, those that never expire.
    private(set) var unlimitedCount = 0
    /// What the records in it take.
    private(set) var recordBytes = 0

    private static let pageShift = 7
    private static let pageSize = 1 << pageShift

    /// What a slot and its share of the index take.
    static let slotCost = MemoryLayout<Slot>.stride + 4

    /// A store without entries. If it is to tell `exactly` when an entry was asked for, each ask is noted, else those that
    /// the policy wants.
    init(policy: any EvictionPolicy, exactly: Bool, scale: TickScale = TickScale()) {
        self.policy = policy
        resolution = exactly ? 0 : scale.steps(policy.resolution)
    }

    deinit {
        for place in 0..<slots.count { Record(slots[place].pointee)?.releaseReference() }
    }

    /// All that the store takes; slots that fell vacant are kept for later entries and go on counting.
    var bytes: Int { recordBytes + slots.count * Self.slotCost + policy.bytes }

    // MARK: Lookup

    /// The slot of `key`.
    @inline(__always)
    func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> UnsafeMutablePointer<Slot>? {
        let place = locate(key, hash: hash)
        return place == .none ? nil : slots[Int(place)]
    }

    /// The number of the slot of `key`.
    @inline(__always)
    func locate(_ key: UnsafeRawBufferPointer, hash: UInt64) -> SlotIndex {
        let part = Slot.hash(hash)
        var place = index.first(hash)
        while place != .none {
            let slot = slots[Int(place)]
            if slot.pointee.hash == part, let record = Record(slot.pointee), record.hasKey(key) { return place }
            place = slot.pointee.next
        }
        return .none
    }

    /// Where the search for a key begins.
    func firstSlot(_ hash: UInt64) -> SlotIndex { index.first(hash) }

    /// The record that the search for a key will open first.
    func probableRecord(_ hash: UInt64) -> UnsafeMutableRawPointer? {
        let part = Slot.hash(hash)
        var place = index.first(hash)
        while place != .none {
            let slot = slots[Int(place)]
            if slot.pointee.hash == part { return slot.pointee.record }
            place = slot.pointee.next
        }
        return nil
    }

    /// Notes that an entry was asked for.
    @inline(__always)
    mutating func ask(_ place: SlotIndex, at now: Tick) {
        let slot = slots[Int(place)]
        guard now.count &- slot.pointee.asked.count >= resolution else { return }
        slot.pointee.asked = now
        policy.asked(place, in: slots)
    }

    // MARK: Change

    /// Adds an entry; its key must not be in the store. Returns the bytes that the store grew by, or nil when the system
    /// has no memory.
    mutating func insert(_ key: RawSpan, hash: UInt64, value: Value, times: Times, at now: Tick) -> Int? {
        let before = bytes
        guard index.grow(for: count + 1, in: slots, hash: Self.hash), let place = takeVacant() else { return nil }
        guard let record = Record.make(key: key, value: value, marks: times.marks, for: place, in: &records) else {
            leaveVacant(place)
            return nil
        }
        let slot = slots[Int(place)]
        slot.pointee = Slot(
            record: record, expires: times.expires ?? now, asked: now, hash: hash,
            flags: Record.flags(for: value).union(times.flags))
        count += 1
        if times.expires == nil { unlimitedCount += 1 }
        recordBytes += Record(slot.pointee)?.cost ?? 0
        index.insert(place, hash: hash, in: slots)
        policy.inserted(place, hash: hash, in: slots)
        note(times.swept, of: place)
        return bytes - before
    }

    /// Gives the entry of a slot another value and other times. To the policy that is an ask, not a newcomer. Returns the
    /// bytes that the store grew by, or nil when the system has no memory.
    mutating func replace(_ place: SlotIndex, _ key: RawSpan, value: Value, times: Times, at now: Tick) -> Int? {
        guard let record = Record.make(key: key, value: value, marks: times.marks, for: place, in: &records) else {
            return nil
        }
        let before = recordBytes
        let slot = slots[Int(place)]
        let old = Record(slot.pointee)
        if slot.pointee.flags.contains(.unlimited) { unlimitedCount -= 1 }
        if times.expires == nil { unlimitedCount += 1 }
        slot.pointee.record = record
        slot.pointee.expires = times.expires ?? now
        slot.pointee.flags = Record.flags(for: value).union(times.flags).union(
            slot.pointee.flags.intersection(.policy))
        recordBytes += (Record(slot.pointee)?.cost ?? 0) - (old?.cost ?? 0)
        old?.destroy(in: &records, slots: slots)
        ask(place, at: now)
        note(times.swept, of: place)
        return recordBytes - before
    }

    /// Removes the entry of a slot, for want of space if it is `evicted`. Returns the bytes that the store shrank by, which
    /// is less than nothing when the policy takes more to remember it by.
    @discardableResult
    mutating func remove(_ place: SlotIndex, evicted: Bool = false) -> Int {
        let slot = slots[Int(place)]
        guard let record = Record(slot.pointee) else { return 0 }
        let before = bytes
        let hash = Self.hash(record.key)
        recordBytes -= record.cost
        if slot.pointee.flags.contains(.unlimited) { unlimitedCount -= 1 }
        policy.removed(place, hash: hash, evicted: evicted, in: slots)
        index.remove(place, hash: hash, in: slots)
        leaveVacant(place)
        record.destroy(in: &records, slots: slots)
        count -= 1
        return before - bytes
    }

    /// Gives the slots back when all of them are vacant. Returns the bytes that the store shrank by.
    mutating func trim() -> Int {
        guard count == 0, slots.count > 0 else { return 0 }
        let before = bytes
        slots = Pages()
        records = RecordRoom()
        index = HashIndex()
        calendar = []
        vacant = .none
        return before - bytes
    }

    /// The slot that the policy would give up next.
    mutating func victim() -> SlotIndex? { policy.victim(in: slots) }

    private mutating func takeVacant() -> SlotIndex? {
        guard vacant != .none else {
            let isNewPage = slots.count & (Self.pageSize - 1) == 0
            guard slots.append(Slot()) else { return nil }
            if isNewPage { calendar.append(nil) }
            return SlotIndex(slots.count - 1)
        }
        defer { vacant = slots[Int(vacant)].pointee.next }
        return vacant
    }

    private mutating func leaveVacant(_ place: SlotIndex) {
        slots[Int(place)].pointee = Slot(next: vacant)
        vacant = place
    }

    // MARK: Expiry

    /// A time before which no entry expires; nil: never. O(pages).
    var earliestExpiry: Tick? {
        calendar.reduce(nil) { Tick.earliest($0, $1) }
    }

    /// Makes sure that a slot's page is looked at when `time` has come.
    mutating func note(_ time: Tick?, of place: SlotIndex) {
        let page = Int(place) >> Self.pageShift
        calendar[page] = Tick.earliest(calendar[page], time)
    }

    /// Looks through one page whose time has come. `leaving` tells when a slot's entry leaves; those whose time has come
    /// are handed to `expired` and removed. Marks of the others that would soon be taken for times to come are brought up
    /// to date. Returns nil when no page is due. O(128), so that a lock is held for microseconds.
    mutating func sweepPage(
        at now: Tick, leaving: (Slot) -> Tick?, expired: (Record) -> Void
    ) -> (removed: Int, freed: Int)? {
        func isDue(_ page: Int) -> Bool { calendar[page]?.isReached(at: now) ?? false }
        // Goes on where the last one was found: those before it are done.
        let start = min(swept, calendar.count)
        guard let page = (start..<calendar.count).first(where: isDue) ?? (0..<start).first(where: isDue) else {
            return nil
        }
        swept = page
        var removed = 0
        var freed = 0
        var earliest: Tick?
        let first = page << Self.pageShift
        for place in first..<min(first + Self.pageSize, slots.count) {
            let slot = slots[place].pointee
            guard let record = Record(slot) else { continue }
            guard let time = leaving(slot) else {
                if record.renewMarks(at: now) { earliest = Tick.earliest(earliest, now.advanced(by: Tick.farthest)) }
                continue
            }
            if time.isReached(at: now) {
                expired(record)
                removed += 1
                freed += remove(SlotIndex(place))
            } else {
                earliest = Tick.earliest(earliest, time)
            }
        }
        calendar[page] = earliest
        return (removed, freed)
    }

    // MARK: Hashing

    /// The hash of a key, by the standard library's seeded SipHash: whoever may choose keys can't choose collisions.
    @inline(__always)
    static func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(bytes: key)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private static func hash(_ slot: Slot) -> UInt64 {
        guard let record = Record(slot) else { return 0 }
        return hash(record.key)
    }

    /// The keys of all entries. O(n).
    var keys: [Key] { (0..<slots.count).compactMap { Record(slots[$0].pointee).map { Key(Array($0.key)) } } }

    // MARK: Checks

    /// The pages that records are in.
    var recordPageBytes: Int { records.pageBytes }

    /// Walks everything and tells what does not fit together; empty when all does. For tests. O(n).
    func invariantViolations() -> [String] {
        var violations: [String] = []
        var live = 0
        var unlimited = 0
        var cost = 0
        for place in 0..<slots.count {
            let slot = slots[place].pointee
            guard let record = Record(slot) else { continue }
            live += 1
            if slot.flags.contains(.unlimited) { unlimited += 1 }
            cost += record.cost
            if locate(record.key, hash: Self.hash(record.key)) != SlotIndex(place) {
                violations.append("slot \(place) is not found by its key")
            }
            if !slot.flags.contains(.unlimited), let due = calendar[place >> Self.pageShift],
                !due.isReached(at: slot.expires)
            {
                violations.append("slot \(place) expires before its page is due")
            }
        }
        var vacancies = 0
        var place = vacant
        while place != .none {
            vacancies += 1
            place = slots[Int(place)].pointee.next
        }
        if live != count { violations.append("\(live) records, count says \(count)") }
        if unlimited != unlimitedCount {
            violations.append("\(unlimited) records that never expire, unlimitedCount says \(unlimitedCount)")
        }
        if live + vacancies != slots.count {
            violations.append("\(live) records and \(vacancies) vacancies in \(slots.count) slots")
        }
        violations += records.invariantViolations(in: slots)
        violations += policy.invariantViolations(count: count, in: slots)
        if cost != recordBytes { violations.append("records take \(cost) bytes, recordBytes says \(recordBytes)") }
        return violations
    }
}
