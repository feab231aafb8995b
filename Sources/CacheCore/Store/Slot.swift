/// The number of an entry's slot.
typealias SlotIndex = UInt32

extension SlotIndex {
    /// No slot.
    static let none = SlotIndex.max
}

/// What a shard knows of one entry without opening its record: 32 bytes, two to a cache line.
struct Slot: BitwiseCopyable {
    /// Key and value; nil in a vacant slot.
    var record: UnsafeMutableRawPointer?
    /// Neighbours in the eviction policy's order.
    var older = SlotIndex.none
    var newer = SlotIndex.none
    /// The next entry of the same bucket, or the next vacant slot.
    var next = SlotIndex.none
    /// When the entry leaves memory, unless it is `unlimited`.
    var expires = Tick(count: 0)
    /// When it was last asked for.
    var asked = Tick(count: 0)
    /// The low bits of the key's hash: compared before the record is opened, and enough to find the slot's bucket as
    /// long as there are not more buckets.
    private var hashAndFlags: UInt32 = 0

    var hash: UInt32 { hashAndFlags >> 8 }

    var flags: Flags {
        get { Flags(rawValue: UInt8(truncatingIfNeeded: hashAndFlags)) }
        set { hashAndFlags = hashAndFlags & ~0xff | UInt32(newValue.rawValue) }
    }

    /// How many bits of a hash a slot has.
    static let hashBits = 24

    /// Those of `hash`.
    @inline(__always)
    static func hash(_ hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash) & (1 << hashBits - 1) }

    /// A vacant slot.
    init(next: SlotIndex = .none) {
        self.next = next
    }

    /// The slot of an entry.
    init(record: UnsafeMutableRawPointer, expires: Tick, asked: Tick, hash: UInt64, flags: Flags) {
        self.record = record
        self.expires = expires
        self.asked = asked
        hashAndFlags = Self.hash(hash) << 8 | UInt32(flags.rawValue)
    }

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        /// The source has no such row.
        static let negative = Flags(rawValue: 1)
        /// The value has a hash form.
        static let fields = Flags(rawValue: 2)
        /// The record holds a reference to a value that is too long to be copied under the lock.
        static let large = Flags(rawValue: 4)
        /// `expires` means nothing.
        static let unlimited = Flags(rawValue: 8)
        /// Two bits for the eviction policy's own use.
        static let policy = Flags(rawValue: 0x30)
        /// The record has ``Marks``.
        static let marks = Flags(rawValue: 0x40)
        /// A flight under way will replace the entry; no hit starts another one.
        static let refreshing = Flags(rawValue: 0x80)
    }
}
