/// The entries of one shard: slots, an index by key, an order for eviction and a calendar for expiry. No lock: the shard
/// that owns it has one. Everything but ``sweepPage(at:leaving:expired:)`` and ``keys`` is O(1), amortized.
struct EntryStore: ~Copyable {
    private(set) var slots = Pages<Slot>()
    private var records = RecordRoom()
    private(set) var hashIndex = HashIndex()
    private var policy: any EvictionPolicy
    private var resolution: UInt32
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
        resolution = 0
        noteAsks(exactly: exactly, scale: scale)
    }

    /// Says anew whether it is to tell that exactly.
    mutating func noteAsks(exactly: Bool, scale: TickScale) {
        resolution = exactly ? 0 : scale.steps(policy.resolution)
    }

    deinit {
        for index in 0..<slots.count { Record(slots[index].pointee)?.releaseReference() }
    }

    /// All that the store takes; slots that fell vacant are kept for later entries and go on counting.
    var bytes: Int { recordBytes + slots.count * Self.slotCost + policy.bytes }

    // MARK: Lookup

    /// How many slots there are, vacant ones included: their indices are below that.
    var slotCount: Int { slots.count }

    /// What is in a slot.
    subscript(_ index: SlotIndex) -> Slot {
        @inline(__always)
        get { slots[Int(index)].pointee }
        @inline(__always)
        set { slots[Int(index)].pointee = newValue }
    }

    /// The index of the slot of `key`; none when it has none.
    @inline(__always)
    func locate(_ key: RawSpan, hash: UInt64) -> SlotIndex {
        let part = Slot.hash(hash)
        var index = hashIndex.first(hash)
        while index != .none {
            let slot = slots[Int(index)]
            if slot.pointee.hash == part {
                // The value, most likely, is on its way while the key is waited for.
                Self.prefetchValue(slot.pointee)
                if let record = Record(slot.pointee), record.hasKey(key) { return index }
            }
            index = slot.pointee.next
        }
        return .none
    }

    /// The record that the search for a key will open first.
    func probableRecord(_ hash: UInt64) -> UnsafeMutableRawPointer? {
        let part = Slot.hash(hash)
        var index = hashIndex.first(hash)
        while index != .none {
            let slot = slots[Int(index)]
            if slot.pointee.hash == part { return slot.pointee.record }
            index = slot.pointee.next
        }
        return nil
    }

    /// The value of an entry, copied to `output` in the wanted form, or given out by reference if it is long or does not fit.
    @inline(__always)
    func answer(_ index: SlotIndex, _ form: Form, into output: inout OutputRawSpan) -> Hit {
        let slot = self[index]
        guard let record = Record(slot), !slot.flags.contains(.negative) else { return .negative }
        if slot.flags.contains(.large) || form == .whole { return .large(record.value) }
        return record.copy(form, into: &output) ? .copied : .large(record.value)
    }

    /// Notes that an entry was asked for.
    @inline(__always)
    mutating func ask(_ index: SlotIndex, at now: Tick) {
        let slot = slots[Int(index)]
        guard now.count &- slot.pointee.asked.count >= resolution else { return }
        slot.pointee.asked = now
        policy.asked(index, in: slots)
    }

    // MARK: Change

    /// Adds an entry; its key must not be in the store. Returns the bytes that the store grew by, or nil when the system
    /// has no memory.
    mutating func insert(_ key: RawSpan, hash: UInt64, value: Value, times: Times, at now: Tick) -> Int? {
        let before = bytes
        guard hashIndex.grow(for: count + 1, in: slots, hash: Self.hash), let index = takeVacant() else { return nil }
        guard let record = Record.make(key: key, value: value, marks: times.marks, for: index, in: &records) else {
            leaveVacant(index)
            return nil
        }
        let slot = slots[Int(index)]
        slot.pointee = Slot(
            record: record, expires: times.expires ?? now, asked: now, hash: hash,
            flags: Record.flags(for: value).union(times.flags))
        count += 1
        if times.expires == nil { unlimitedCount += 1 }
        recordBytes += Record(slot.pointee)?.cost ?? 0
        hashIndex.insert(index, hash: hash, in: slots)
        policy.inserted(index, hash: hash, in: slots)
        note(times.swept, of: index)
        return bytes - before
    }

    /// Gives the entry of a slot another value and other times. To the policy that is an ask, not a newcomer. Returns the
    /// bytes that the store grew by, or nil when the system has no memory.
    mutating func replace(_ index: SlotIndex, _ key: RawSpan, value: Value, times: Times, at now: Tick) -> Int? {
        guard let record = Record.make(key: key, value: value, marks: times.marks, for: index, in: &records) else {
            return nil
        }
        let before = recordBytes
        let slot = slots[Int(index)]
        let old = Record(slot.pointee)
        if slot.pointee.flags.contains(.unlimited) { unlimitedCount -= 1 }
        if times.expires == nil { unlimitedCount += 1 }
        slot.pointee.record = record
        slot.pointee.expires = times.expires ?? now
        slot.pointee.flags = Record.flags(for: value).union(times.flags).union(
            slot.pointee.flags.intersection(.policy))
        recordBytes += (Record(slot.pointee)?.cost ?? 0) - (old?.cost ?? 0)
        old?.destroy(in: &records, slots: slots)
        ask(index, at: now)
        note(times.swept, of: index)
        return recordBytes - before
    }

    /// Removes the entry of a slot, for space if it is `evicted`. Returns the bytes that the store shrank by, which
    /// is less than nothing when the policy takes more to remember it by.
    @discardableResult
    mutating func remove(_ index: SlotIndex, evicted: Bool = false) -> Int {
        let slot = slots[Int(index)]
        guard let record = Record(slot.pointee) else { return 0 }
        let before = bytes
        let hash = Self.hash(record.key)
        recordBytes -= record.cost
        if slot.pointee.flags.contains(.unlimited) { unlimitedCount -= 1 }
        policy.removed(index, hash: hash, evicted: evicted, in: slots)
        hashIndex.remove(index, hash: hash, in: slots)
        leaveVacant(index)
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
        hashIndex = HashIndex()
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

    private mutating func leaveVacant(_ index: SlotIndex) {
        slots[Int(index)].pointee = Slot(next: vacant)
        vacant = index
    }

    // MARK: Expiry

    /// A time before which no entry expires; nil: never. O(pages).
    var earliestExpiry: Tick? {
        calendar.reduce(nil) { Tick.earliest($0, $1) }
    }

    /// Makes sure that a slot's page is looked at when `time` has come.
    mutating func note(_ time: Tick?, of index: SlotIndex) {
        let page = Int(index) >> Self.pageShift
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
        for index in first..<min(first + Self.pageSize, slots.count) {
            let slot = slots[index].pointee
            guard let record = Record(slot) else { continue }
            guard let time = leaving(slot) else {
                if record.renewMarks(at: now) { earliest = Tick.earliest(earliest, now.advanced(by: Tick.farthest)) }
                continue
            }
            if time.isReached(at: now) {
                expired(record)
                removed += 1
                freed += remove(SlotIndex(index))
            } else {
                earliest = Tick.earliest(earliest, time)
            }
        }
        calendar[page] = earliest
        return (removed, freed)
    }

    /// Has the entries of one page of slots end no later than one that comes in at `age`, nanoseconds since the group's start.
    /// Returns whether there is such a page. O(128).
    mutating func limitTimes(ofPage page: Int, _ freshness: Freshness, age: Int64) -> Bool {
        let first = page << Self.pageShift
        guard first < slots.count else { return false }
        for index in first..<min(first + Self.pageSize, slots.count) {
            let slot = slots[index]
            guard let record = Record(slot.pointee) else { continue }
            let latest = freshness.latestTimes(isMissing: slot.pointee.flags.contains(.negative), at: age)
            var marks = record.marks?.limited(to: latest)
            if let expires = latest.expires {
                if slot.pointee.flags.remove(.unlimited) != nil {
                    unlimitedCount -= 1
                    slot.pointee.expires = expires
                    marks?.stale = latest.stale ?? expires
                } else if !slot.pointee.expires.isReached(at: expires) {
                    slot.pointee.expires = expires
                }
            }
            if let marks { record.setMarks(marks) }
            note(freshness.leaving(slot.pointee), of: SlotIndex(index))
        }
        return true
    }

    // MARK: Hashing

    /// The hash of a key.
    @inline(__always)
    static func hash(_ key: RawSpan) -> UInt64 { hashing.hash(key) }

    private static let hashing = SipHash.random()

    private static func hash(_ slot: Slot) -> UInt64 {
        guard let record = Record(slot) else { return 0 }
        return hash(record.key)
    }

    /// The keys of all entries. O(n).
    var keys: [Key] { (0..<slots.count).compactMap { Record(slots[$0].pointee).map(Key.init) } }

    // MARK: Checks

    /// The pages that records are in.
    var recordPageBytes: Int { records.pageBytes }

    /// Walks everything and tells which invariants are broken; empty when all hold. For tests. O(n).
    func invariantViolations() -> [String] {
        var violations: [String] = []
        var live = 0
        var unlimited = 0
        var cost = 0
        for index in 0..<slots.count {
            let slot = slots[index].pointee
            guard let record = Record(slot) else { continue }
            live += 1
            if slot.flags.contains(.unlimited) { unlimited += 1 }
            cost += record.cost
            if locate(record.key, hash: Self.hash(record.key)) != SlotIndex(index) {
                violations.append("slot \(index) is not found by its key")
            }
            if !slot.flags.contains(.unlimited), let due = calendar[index >> Self.pageShift],
                !due.isReached(at: slot.expires)
            {
                violations.append("slot \(index) expires before its page is due")
            }
        }
        var vacancies = 0
        var index = vacant
        while index != .none {
            vacancies += 1
            index = slots[Int(index)].pointee.next
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
