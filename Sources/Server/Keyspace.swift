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
    /// `group.loadTimeout`, computed once.
    let loadNanoseconds: Int64

    /// A group whose keys stand for `shape`.
    public init(_ group: Group, shape: Shape) {
        self.group = group
        self.shape = shape
        loadNanoseconds = group.loadTimeout.wholeNanoseconds
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

/// Where a key on the wire leads: to a group, by its index, and to the key within it, from an offset on.
struct KeyPlace {
    let group: Int
    let keyOffset: Int
}

/// The groups that clients can ask for, by name. Immutable.
///
/// A key on the wire is `group:key`, or the group's name alone when its query takes no parameter.
public final class Keyspace: Sendable {
    /// In the order given.
    public let groups: [ServedGroup]

    /// An open hash table: the index of a group, or -1; half of it at least is empty.
    private let slots: [Int32]
    private let names: [[UInt8]]

    /// Serves `groups`; their names differ.
    public init(_ groups: [ServedGroup]) {
        self.groups = groups
        names = groups.map { Array($0.group.name.utf8) }
        var count = 8
        while count < groups.count * 2 { count *= 2 }
        var slots = [Int32](repeating: -1, count: count)
        for (index, name) in names.enumerated() {
            var slot = Int(truncatingIfNeeded: name.reduce(Self.hashSeed, Self.mix)) & (count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Int32(index)
        }
        self.slots = slots
    }

    /// Finds the group of a key on the wire. O(length of the group's name).
    func locate(_ key: RawSpan) throws(KeyError) -> KeyPlace {
        var hash = Self.hashSeed
        var end = 0
        let count = key.byteCount
        while end < count {
            // One byte, within bounds by the loop's condition.
            let byte = key.unsafeLoad(fromByteOffset: end, as: UInt8.self)
            if byte == UInt8(ascii: ":") { break }
            hash = Self.mix(hash, byte)
            end += 1
        }
        guard let group = index(of: key.extracting(first: end), hash: hash) else { throw .unknownGroup }
        // A key in memory was checked when it was loaded; these two are told apart from one another here.
        if end + 1 >= count, let parts = groups[group].group.getter.keyParts {
            if end == count, parts > 0 { throw .needsParts(group: group) }
            if end < count, parts == 0 { throw .takesNoParts(group: group) }
        }
        return KeyPlace(group: group, keyOffset: min(end + 1, count))
    }

    /// The group of a name.
    func group(named name: RawSpan) -> ServedGroup? {
        let hash = name.withUnsafeBytes { $0.reduce(Self.hashSeed, Self.mix) }
        return index(of: name, hash: hash).map { groups[$0] }
    }

    private func index(of name: RawSpan, hash: UInt32) -> Int? {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            let candidate = names[index]
            if candidate.span.bytes == name { return index }
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
        case .unknownGroup: return unknownGroup(key)
        case .needsParts(let index):
            let group = groups[index].group
            return "ERR " + Self.wrongParts(of: group, expected: group.getter.keyParts ?? 1)
        case .takesNoParts(let index): return "ERR " + Self.wrongParts(of: groups[index].group, expected: 0)
        }
    }

    /// The error for a key, or a name, of no group.
    func unknownGroup(_ key: RawSpan) -> String {
        let name = key.withUnsafeBytes {
            String(decoding: $0.prefix { $0 != UInt8(ascii: ":") }.prefix(64), as: UTF8.self)
        }
        let known = groups.prefix(20).map(\.group.name).joined(separator: ", ") + (groups.count > 20 ? ", ..." : "")
        return "ERR no group '\(ErrorText.quoted(name, limit: 64))'; known groups: \(known)"
    }

    /// What the keys of a group look like when they have `expected` parts.
    static func wrongParts(of group: Group, expected: Int) -> String {
        guard expected > 0 else { return "the group '\(group.name)' takes no key: ask for '\(group.name)' alone" }
        let example = (1...expected).map { ":part\($0)" }.joined()
        let parts = expected == 1 ? "1 part" : "\(expected) parts"
        return "keys of the group '\(group.name)' have \(parts): '\(group.name)\(example)'"
    }
}
