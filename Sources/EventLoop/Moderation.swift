import CLinux
import Glibc

/// Lets a busy loop rest for a moment before it waits, so that requests come together and fewer rounds are needed.
///
/// A loop that answers faster than its clients ask waits after every few of them, and whoever asks next pays for waking it,
/// which costs more than the answer. While the loop rests nobody has to. It rests only if the clients have something else
/// to do: when those who asked in a round had been answered some rounds ago, others stand between, and have their answers
/// now. Clients that come back each round wait for nothing but the loop, and it does not let them wait longer.
///
/// (Network drivers moderate their interrupts so under load: adaptive coalescing.)
struct Moderation {
    /// How long, in nanoseconds: a few answers' time, and well below what a client notices.
    private static let pause = 30_000
    /// Fewer events in a round are no load.
    private static let least = 4
    /// So many rounds since the last one that a descriptor was ready in mean that others stand between.
    private static let between: UInt32 = 5

    private var round: UInt32 = 0
    private var count = 0
    private var rested = 0

    /// Notes an event of a descriptor, and in `last` the round that it came in.
    @inline(__always)
    mutating func note(_ last: inout UInt32) {
        count += 1
        if round &- last >= Self.between { rested += 1 }
        last = round
    }

    /// Ends a round. Returns whether to rest before the next one.
    mutating func endRound() -> Bool {
        defer {
            round &+= 1
            count = 0
            rested = 0
        }
        return count >= Self.least && rested * 2 >= count
    }

    /// Makes short rests of the calling thread short: by default the kernel adds fifty microseconds.
    static func prepareThread() {
        pgs_set_timer_slack(1)
    }

    /// Rests.
    static func rest() {
        var time = timespec(tv_sec: 0, tv_nsec: pause)
        nanosleep(&time, nil)
    }
}
