public import CacheCore
import Groundwork

/// A group as clients see it.
public struct ServedGroup: Sendable {
    /// What one key of the group stands for (the setting `returns`).
    public enum Shape: Sendable, Hashable {
        /// One row: a JSON object, and a hash.
        case row
        /// One column's bytes.
        case value
        /// All rows: a JSON array.
        case rows
    }

    /// The group.
    public let group: Group
    /// What its keys stand for.
    public let shape: Shape
    /// Whether changes of what it holds are told of.
    public let hearsOfChanges: Bool

    /// A group whose keys stand for `shape`.
    public init(_ group: Group, shape: Shape, hearsOfChanges: Bool = false) {
        self.group = group
        self.shape = shape
        self.hearsOfChanges = hearsOfChanges
    }
}

/// Why a key on the wire names nothing.
enum KeyError: Error {
    case unknownGroup
    /// The name of the group at the index stands alone, but its keys have parts.
    case needsParts(group: Int)
    /// There is something behind the name of the group at the index, but its query takes no parameter.
    case takesNoParts(group: Int)
}

/// Where a key on the wire leads: to a group, and to the key within it, from an offset on. Valid until the keyspace serves
/// others, which it never does while a request is executed.
struct KeyLocation: BitwiseCopyable {
    fileprivate let entry: UnsafePointer<Keyspace.Entry>
    private let keyOffset: Int
    /// The text that the group is asked with, when it is not the one on the wire. Valid until the loop's next request.
    private let rewritten: UnsafePointer<RewrittenKey>?

    @inline(__always)
    fileprivate init(_ entry: UnsafePointer<Keyspace.Entry>, keyOffset: Int, rewritten: UnsafePointer<RewrittenKey>?) {
        self.entry = entry
        self.keyOffset = keyOffset
        self.rewritten = rewritten
    }

    /// The bytes that the group is asked with for `key`, the one on the wire that was located: what is behind the group's name,
    /// or in a group that the database invalidates the text under which it is kept there.
    @inline(__always)
    @_lifetime(copy key)
    func key(in key: RawSpan) -> RawSpan {
        guard let rewritten else { return key.extracting(droppingFirst: keyOffset) }
        // Requests don't outlive their execution either.
        return _overrideLifetime(RawSpan(_unsafeBytes: rewritten.pointee.bytes), copying: key)
    }

    /// Whether changes are told of under `key`, the bytes that the group is asked with.
    func isTold(of key: RawSpan) -> Bool {
        entry.pointee.spelling.map { $0._withUnsafeGuaranteedRef { $0.isOwn(key) } } ?? true
    }

    /// The index of the group in the keyspace.
    var group: Int { entry.pointee.index }
    /// How long a load may take.
    var loadNanoseconds: Int64 { entry.pointee.loadNanoseconds }

    /// The group itself. A reference that is counted: all loops share the count.
    var countedGroup: Group { entry.pointee.group.takeUnretainedValue() }

    /// Asks the group.
    @inline(__always)
    func lookup(
        _ key: RawSpan, _ hash: KeyHash, _ form: Form, at now: Instant, waiter: @autoclosure () -> Waiter,
        into output: inout OutputRawSpan
    ) -> Lookup {
        // Replaced at once. It is here because `Unmanaged` hands out nothing that can't be copied.
        var lookup = Lookup.hit(.negative)
        entry.pointee.group._withUnsafeGuaranteedRef {
            lookup = $0.lookup(key, hash, form, at: now, waiter: waiter(), into: &output)
        }
        return lookup
    }

    /// Whether `other` leads to the same group.
    func isInGroup(of other: KeyLocation) -> Bool { entry == other.entry }

    /// Brings nearer what lookups of keys of this group will touch.
    @inline(__always)
    func prefetch(_ indices: Range<Int>, _ step: LookupStep, hash: (Int) -> KeyHash) {
        entry.pointee.group._withUnsafeGuaranteedRef { $0.prefetch(indices, step, hash: hash) }
    }
}

/// The groups that clients can ask for, by name.
///
/// A key on the wire is `group:key`, or the group's name alone when its query takes no parameter.
///
/// Each loop has its own, which alone changes it (``serve(_:)``): so a lookup takes no lock and counts no reference to see the
/// groups of the moment.
public final class Keyspace: @unchecked Sendable {
    // Unchecked: what the pointers lead to is changed between requests only, by the loop that reads it.

    /// In the order given.
    public private(set) var groups: [ServedGroup] = []
    /// What is taken away from the beginning of a key on the wire, if it is there.
    let keyPrefix: [UInt8]
    /// Its length at hand, as every lookup asks.
    private let prefixCount: Int

    /// What a lookup needs of a group.
    fileprivate struct Entry {
        let name: UnsafeRawBufferPointer
        /// Held by `groups`, so that a lookup need not count a reference: all loops share the count, and each change of it
        /// would take its cache line from the others.
        let group: Unmanaged<Group>
        /// Held by the group's getter; its references aren't counted either.
        let spelling: Unmanaged<KeySpelling>?
        let index: Int
        let loadNanoseconds: Int64
    }

    /// By index.
    private var entries = UnsafeMutableBufferPointer<Entry>(start: nil, count: 0)
    /// An open hash table of indices, or -1; half of it at least is empty. Its size is a power of two.
    private var slots = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)

    /// Serves `groups`; their names differ. `keyPrefix` is what a framework puts in front of keys.
    public init(_ groups: [ServedGroup], keyPrefix: String = "") {
        self.keyPrefix = Array(keyPrefix.utf8)
        prefixCount = keyPrefix.utf8.count
        fill(groups)
    }

    /// One that serves the same to another loop.
    convenience init(like other: Keyspace) {
        self.init(other.groups, keyPrefix: String(decoding: other.keyPrefix, as: UTF8.self))
    }

    /// Serves other groups from now on; their names differ. To be called by the loop, between requests.
    func serve(_ groups: [ServedGroup]) {
        deallocate()
        fill(groups)
    }

    private func fill(_ groups: [ServedGroup]) {
        self.groups = groups
        entries = .allocate(capacity: groups.count)
        var count = 8
        while count < groups.count * 2 { count *= 2 }
        slots = .allocate(capacity: count)
        slots.initialize(repeating: -1)
        for (index, served) in groups.enumerated() {
            let text = Array(served.group.name.utf8)
            let name = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
            name.copyBytes(from: text)
            entries.initializeElement(
                at: index,
                to: Entry(
                    name: UnsafeRawBufferPointer(name), group: Unmanaged.passUnretained(served.group),
                    spelling: served.group.spelling.map(Unmanaged.passUnretained),
                    index: index,
                    loadNanoseconds: served.group.loadNanoseconds))
            var slot = Int(truncatingIfNeeded: text.reduce(Self.hashSeed, Self.mix)) & (count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Int32(index)
        }
    }

    deinit { deallocate() }

    private func deallocate() {
        for entry in entries { entry.name.deallocate() }
        entries.deallocate()
        slots.deallocate()
    }

    /// Finds the group of a key on the wire, and in a group that the database invalidates the text under which the key is kept
    /// there, which `texts` holds if it is another one. O(length of the group's name, and of the key there).
    func locate(_ key: RawSpan, _ texts: RewrittenKeys) throws(KeyError) -> KeyLocation {
        var hash = Self.hashSeed
        let count = key.byteCount
        let start = prefixLength(of: key)
        var end = start
        while end < count {
            // One byte, within bounds by the loop's condition.
            let byte = key.unsafeLoad(fromByteOffset: end, as: UInt8.self)
            if byte == UInt8(ascii: ":") { break }
            hash = Self.mix(hash, byte)
            end += 1
        }
        guard let entry = entry(named: key.extracting(start..<end), hash: hash) else { throw .unknownGroup }
        // A key in memory was checked when it was loaded; these two are told apart from one another here.
        if end + 1 >= count, let parts = groups[entry.pointee.index].group.keyParts {
            if end == count, parts > 0 { throw .needsParts(group: entry.pointee.index) }
            if end < count, parts == 0 { throw .takesNoParts(group: entry.pointee.index) }
        }
        let offset = min(end + 1, count)
        guard let spelling = entry.pointee.spelling else {
            return KeyLocation(entry, keyOffset: offset, rewritten: nil)
        }
        let inGroup = key.extracting(droppingFirst: offset)
        let rewritten = spelling._withUnsafeGuaranteedRef {
            $0.isOwn(inGroup) ? nil : $0.rewritten(inGroup).map(texts.hold)
        }
        return KeyLocation(entry, keyOffset: offset, rewritten: rewritten)
    }

    /// How many bytes of a key are the prefix that is taken away.
    @inline(__always)
    private func prefixLength(of key: RawSpan) -> Int {
        prefixCount > 0 && key.withUnsafeBytes({ $0.starts(with: keyPrefix) }) ? prefixCount : 0
    }

    /// The group of a name.
    func group(named name: RawSpan) -> ServedGroup? {
        let hash = name.withUnsafeBytes { $0.reduce(Self.hashSeed, Self.mix) }
        return entry(named: name, hash: hash).map { groups[$0.pointee.index] }
    }

    private func entry(named name: RawSpan, hash: UInt32) -> UnsafePointer<Entry>? {
        guard let first = entries.baseAddress else { return nil }
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let entry = first + Int(slots[slot])
            if name.hasSameBytes(as: entry.pointee.name.bytes) { return UnsafePointer(entry) }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// FNV-1a: names are short and chosen by the operator, so no one can choose them to collide.
    private static let hashSeed: UInt32 = 0x811c_9dc5

    @inline(__always)
    private static func mix(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte)) &* 0x0100_0193
    }
}

extension Keyspace {
    /// The error that a client gets for a key.
    func text(_ error: KeyError, key: RawSpan) -> String {
        switch error {
        case .unknownGroup: return unknownGroup(inKey: key)
        case .needsParts(let index):
            let group = groups[index].group
            return "ERR " + Self.wrongParts(of: group, expected: group.keyParts ?? 1)
        case .takesNoParts(let index): return "ERR " + Self.wrongParts(of: groups[index].group, expected: 0)
        }
    }

    /// The error for a key of no group. When a known group's name comes later in it, a framework may have put a prefix in
    /// front, as Django does: `:1:account:7`.
    private func unknownGroup(inKey key: RawSpan) -> String {
        let text = key.withUnsafeBytes { String(decoding: $0.prefix(128), as: UTF8.self) }
        let shown = ErrorText.quoted(text, limit: 64) + (key.byteCount > 64 ? "..." : "")
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        if let index = parts.indices.dropFirst().first(where: { isGroup(String(parts[$0])) }) {
            let prefix = ErrorText.quoted(parts[..<index].joined(separator: ":") + ":", limit: 64)
            return "ERR the key '\(shown)' begins with no group; is '\(prefix)' a prefix that your framework adds? "
                + "Then set listen.key_prefix: \"\(prefix)\""
        }
        let name = ErrorText.quoted(String(parts[0]), limit: 64)
        return "ERR no group '\(name)' in the key '\(shown)'; known groups: \(knownGroups). "
            + "Does something put a prefix in front of keys? See listen.key_prefix"
    }

    /// The error for a name of no group.
    func unknownGroup(_ name: RawSpan) -> String {
        let name = name.withUnsafeBytes { String(decoding: $0.prefix(64), as: UTF8.self) }
        return "ERR no group '\(ErrorText.quoted(name, limit: 64))'; known groups: \(knownGroups)"
    }

    private func isGroup(_ name: String) -> Bool { groups.contains { $0.group.name == name } }

    private var knownGroups: String {
        groups.prefix(20).map(\.group.name).joined(separator: ", ") + (groups.count > 20 ? ", ..." : "")
    }

    /// What the keys of a group look like when they have `expected` parts.
    static func wrongParts(of group: Group, expected: Int) -> String {
        guard expected > 0 else { return "the group '\(group.name)' takes no key: ask for '\(group.name)' alone" }
        let example = (1...expected).map { ":part\($0)" }.joined()
        let parts = expected == 1 ? "1 part" : "\(expected) parts"
        return "keys of the group '\(group.name)' have \(parts): '\(group.name)\(example)'"
    }
}

extension [ServedGroup] {
    /// What goes first when there is no room, in Redis' manner: each policy that a group has.
    var memoryPolicy: String {
        let used = Set(map(\.group.settings.eviction))
        return Eviction.allCases.filter { used.contains($0) }.map { "allkeys-\($0.rawValue)" }.joined(separator: ",")
    }

    /// The group that has the name of one that is no longer served.
    func successor(of group: Group) -> Group? { first { $0.group.name == group.name }?.group }
}
