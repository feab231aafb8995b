/// A time in steps since the group's start, in four bytes; ``TickScale`` says how long a step is.
///
/// It wraps; two ticks are compared by the sign of their difference (serial number arithmetic, RFC 1982), which holds for
/// times less than 2^31 steps apart. So whatever is kept for longer is brought up to date in time, see
/// ``EntryStore/sweepPage(at:leaving:expired:)``.
struct Tick: Equatable {
    var count: UInt32

    /// How many steps ahead a time may lie; for as long after it has come it is surely told from one to come.
    static let farthest: UInt32 = 1 << 30

    init(count: UInt32) {
        self.count = count
    }

    /// Whether this time has come at `now`.
    @inline(__always)
    func isReached(at now: Tick) -> Bool {
        Int32(bitPattern: now.count &- count) >= 0
    }

    /// The time so many steps later.
    func advanced(by steps: UInt32) -> Tick { Tick(count: count &+ steps) }

    /// The earlier of two times, where nil is never.
    static func earliest(_ left: Tick?, _ right: Tick?) -> Tick? {
        guard let left else { return right }
        guard let right else { return left }
        return left.isReached(at: right) ? left : right
    }
}

/// How long a step of a group's ticks is: 2^24 ns (16.8 ms), unless a rule of the group names a time of more than 208 days;
/// then as long as it has to be, half a second for ten years.
struct TickScale: Sendable, Equatable {
    private let shift: Int64

    /// The longest time that can be told: 36 years.
    static let horizon = Int64.max / 8

    /// For times of at most `longest` nanoseconds.
    init(longest: Int64 = 0) {
        var shift: Int64 = 24
        while longest >> shift >= Int64(Tick.farthest) { shift += 1 }
        self.shift = shift
    }

    /// The last step at or before `nanoseconds` after the start.
    @inline(__always)
    func tick(_ nanoseconds: Int64) -> Tick {
        Tick(count: UInt32(truncatingIfNeeded: nanoseconds &>> shift))
    }

    /// How many whole steps a length of time has.
    func steps(_ nanoseconds: Int64) -> UInt32 { UInt32(clamping: nanoseconds >> shift) }

    /// A length of time in steps, not rounded.
    func exactSteps(_ nanoseconds: Int64) -> Float { Float(nanoseconds) / Float(Int64(1) << shift) }

    /// Nanoseconds from a time, given in nanoseconds after the start, to a tick; negative when that has passed.
    func nanoseconds(from now: Int64, to tick: Tick) -> Int64 {
        let steps = Int64(Int32(bitPattern: tick.count &- self.tick(now).count))
        return (steps << shift) - (now & ((1 << shift) - 1))
    }
}
