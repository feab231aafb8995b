import CIntrinsics
import CacheCore
import Groundwork

/// The keys that are asked for, the likeliest first.
///
/// They lie behind one another as the bulk strings that requests have, so that asking for one copies bytes and renders nothing.
struct KeySet: Sendable {
    /// More keys than this are not taken.
    static let most = 10_000_000

    private var bulks: [UInt8] = []
    /// Where the bulk string of each key ends.
    private var ends: [Int] = []
    /// Bytes of a key before its argument.
    private let prefixLength: Int
    private let prefixBytes: [UInt8]

    /// The keys of a group with these arguments; `prefix` is what stands before an argument on the wire, `account:`.
    init(arguments: some Sequence<String>, prefix: String) {
        prefixBytes = Array(prefix.utf8)
        prefixLength = prefixBytes.count
        for argument in arguments.prefix(Self.most) {
            let bytes = Array(argument.utf8)
            bulks.append(contentsOf: "$\(prefixLength + bytes.count)\r\n".utf8)
            bulks.append(contentsOf: prefixBytes)
            bulks.append(contentsOf: bytes)
            bulks.append(contentsOf: "\r\n".utf8)
            ends.append(bulks.count)
        }
    }

    /// How many there are.
    var count: Int { ends.count }

    private func range(of index: Int) -> Range<Int> {
        (index == 0 ? 0 : ends[index - 1])..<ends[index]
    }

    /// Appends a key as a bulk string.
    func appendBulk(_ index: Int, to bytes: inout [UInt8]) {
        let range = range(of: index)
        bulks.withUnsafeBytes { bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[range])) }
    }

    /// Has keys brought near that are asked for next: together, as each of them alone would be waited for.
    ///
    /// Unsafe because it names addresses to the processor, which does not access them.
    func prefetch(_ indices: [Int]) {
        bulks.withUnsafeBytes { bytes in
            guard let first = bytes.baseAddress else { return }
            for index in indices { pgs_prefetch(first + range(of: index).lowerBound) }
        }
    }

    /// What stands before an argument.
    var prefix: String { String(decoding: prefixBytes, as: UTF8.self) }

    /// A key without what stands before it, as text.
    func argumentText(_ index: Int) -> String { String(decoding: argument(index), as: UTF8.self) }

    /// The key on the wire, as text.
    func text(_ index: Int) -> String { prefix + argumentText(index) }

    /// The key as its group has it, without the prefix.
    func key(_ index: Int) -> Key { Key(Array(argument(index))) }

    private func argument(_ index: Int) -> ArraySlice<UInt8> {
        let bulk = bulks[range(of: index)]
        let header = bulk.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bulk.startIndex
        return bulk[(header + prefixLength)...].dropLast(2)
    }

    /// The first `count` of them, or all.
    func prefix(_ count: Int) -> KeySet {
        var part = self
        part.ends = Array(ends.prefix(count))
        part.bulks = Array(bulks.prefix(part.ends.last ?? 0))
        return part
    }

    /// The same arguments behind another prefix.
    func withPrefix(_ prefix: String) -> KeySet {
        KeySet(
            arguments: (0..<count).lazy.map { argumentText($0) }, prefix: prefix)
    }
}
