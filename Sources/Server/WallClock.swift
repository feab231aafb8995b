import Glibc

/// The time of day, for clients that ask for it. Nothing of the cache goes by it.
package struct WallClock {
    package let seconds: Int
    package let microseconds: Int

    /// Reads it.
    package static func now() -> WallClock {
        var reading = timespec()
        clock_gettime(CLOCK_REALTIME, &reading)
        return WallClock(seconds: reading.tv_sec, microseconds: reading.tv_nsec / 1000)
    }

    /// Milliseconds since 1970.
    package var milliseconds: Int { seconds * 1000 + microseconds / 1000 }
}
