import Glibc

/// The time of day, for clients that ask for it. Nothing of the cache goes by it.
struct WallClock {
    let seconds: Int
    let microseconds: Int

    /// Reads it.
    static func now() -> WallClock {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME, &reading)
        return WallClock(seconds: reading.tv_sec, microseconds: reading.tv_nsec / 1000)
    }

    /// Milliseconds since 1970.
    var milliseconds: Int { seconds * 1000 + microseconds / 1000 }
}
