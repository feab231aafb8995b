import Groundwork

/// A time in steps of 2^24 ns (16.8 ms) since the group's start, in four bytes.
///
/// It wraps after 834 days; two ticks are compared by the sign of their difference (serial number arithmetic, RFC 1982),
/// which holds for times less than 417 days apart.
struct Tick: Equatable {
    var count: UInt32

    /// The longest time ahead that a tick can name.
    static let horizon: Int64 = 400 * 24 * 3600 * 1_000_000_000

    init(count: UInt32) {
        self.count = count
    }

    /// The last step at or before `nanoseconds` after the start.
    @inline(__always)
    init(nanoseconds: Int64) {
        count = UInt32(truncatingIfNeeded: nanoseconds >> 24)
    }

    /// Nanoseconds from the last step to `nanoseconds` after the start.
    static func part(of nanoseconds: Int64) -> Int64 { nanoseconds & (1 << 24 - 1) }

    /// Whether this time has come at `now`.
    @inline(__always)
    func isReached(at now: Tick) -> Bool {
        Int32(bitPattern: now.count &- count) >= 0
    }

    /// Nanoseconds from `now` until this time; negative when it has passed.
    func nanoseconds(after now: Tick) -> Int64 {
        Int64(Int32(bitPattern: count &- now.count)) << 24
    }

    /// The earlier of two times, where nil is never.
    static func earliest(_ left: Tick?, _ right: Tick?) -> Tick? {
        guard let left else { return right }
        guard let right else { return left }
        return left.isReached(at: right) ? left : right
    }
}
