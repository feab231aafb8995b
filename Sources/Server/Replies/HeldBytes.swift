import CacheCore

/// The bytes that replies of one loop's clients hold while they wait, as part of what all loops together may hold. Confined to
/// its loop.
///
/// A large value that several replies share is one: it counts once for each loop.
final class HeldBytes {
    private let bound: Bound
    /// How many replies hold each large value, by where its bytes are. It stays there as long as one of them holds it.
    private var sharers: [UnsafeRawPointer: Int] = [:]
    /// What was given up since ``beginMove()``; nil: nothing is being moved.
    private var moved: Int?

    init(_ bound: Bound) {
        self.bound = bound
    }

    /// When a reply's turn comes.
    enum Turn {
        /// Behind others. These leave half of the whole to those who are next, so that nobody has to wait for replies that wait
        /// themselves.
        case later
        case next
        /// It is short, and is sent to a client that reads, or it can't be let go: those who don't read don't hold it up.
        case now
    }

    /// Takes bytes for a reply.
    func reserve(_ bytes: Int, for turn: Turn) -> Bool {
        switch turn {
        case .later: return bound.reserve(bytes, below: bound.limit / 2)
        case .next: return bound.reserve(bytes)
        case .now:
            bound.add(bytes)
            return true
        }
    }

    /// Takes what can't be refused any more.
    func add(_ bytes: Int) {
        let again = min(moved ?? 0, bytes)
        moved? -= again
        bound.add(bytes - again)
    }

    /// Gives bytes back.
    func remove(_ bytes: Int) {
        if moved == nil { bound.remove(bytes) } else { moved? += bytes }
    }

    /// From here on bytes that are given up are kept until ``endMove()`` for those that are taken by ``add(_:)``. What is taken out
    /// of a queue to be sent, and put back when the kernel takes no more, would be another loop's in between, and too much then.
    func beginMove() { moved = 0 }

    /// Gives back what was not taken again.
    func endMove() {
        let left = moved ?? 0
        moved = nil
        if left > 0 { bound.remove(left) }
    }

    /// The same for a value, which counts if nobody else holds it.
    func reserve(_ value: Value, for turn: Turn) -> Bool {
        let address = Self.address(of: value)
        if let address, let count = sharers[address] {
            sharers[address] = count + 1
            return true
        }
        guard reserve(Self.size(of: value), for: turn) else { return false }
        if let address { sharers[address] = 1 }
        return true
    }

    func add(_ value: Value) {
        let address = Self.address(of: value)
        if let address, let count = sharers[address] {
            sharers[address] = count + 1
        } else {
            add(Self.size(of: value))
            if let address { sharers[address] = 1 }
        }
    }

    func remove(_ value: Value) { remove(takeOut(value)) }

    /// Notes that a reply gave up a value. Returns how many bytes are to be given back for it: none while others hold it.
    func takeOut(_ value: Value) -> Int {
        if let address = Self.address(of: value), let count = sharers[address] {
            guard count == 1 else {
                sharers[address] = count - 1
                return 0
            }
            sharers[address] = nil
        }
        return Self.size(of: value)
    }

    private static func size(of value: Value) -> Int { value.text.byteCount + value.fields.byteCount }

    /// Nil for a small value, which counts each time.
    private static func address(of value: Value) -> UnsafeRawPointer? {
        guard size(of: value) > ReplyBuffer.copyLimit else { return nil }
        return value.text.withUnsafeBytes { $0.baseAddress }
    }
}
