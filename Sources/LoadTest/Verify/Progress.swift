import Glibc
import Synchronization

/// How far a run has come, and whether it is to end; for any thread.
final class Progress: Sendable {
    private let writes = Atomic<Int>(0)
    private let reads = Atomic<Int>(0)
    private let staleReads = Atomic<Int>(0)
    private let errors = Atomic<Int>(0)
    private let stop = Atomic<Bool>(false)
    private let stopOfWriters = Atomic<Bool>(false)
    private let wanted: (reads: Int, writes: Int)

    /// Enough are `reads` answers and `writes` rows.
    init(reads: Int, writes: Int) { wanted = (reads, writes) }

    /// Whether that was reached. Until then nobody stops, so that there is no write without a reader.
    var isEnough: Bool { readCount >= wanted.reads && writeCount >= wanted.writes }

    func noteWrites(_ count: Int) { writes.wrappingAdd(count, ordering: .relaxed) }
    func noteError() { errors.wrappingAdd(1, ordering: .relaxed) }
    func noteRead(isStale: Bool) {
        reads.wrappingAdd(1, ordering: .relaxed)
        if isStale { staleReads.wrappingAdd(1, ordering: .relaxed) }
    }

    /// Rows that were committed.
    var writeCount: Int { writes.load(ordering: .relaxed) }
    /// Rows that were answered.
    var readCount: Int { reads.load(ordering: .relaxed) }
    /// Answers that had been replaced before they were asked for.
    var staleReadCount: Int { staleReads.load(ordering: .relaxed) }
    /// Requests that got an error.
    var errorCount: Int { errors.load(ordering: .relaxed) }

    /// Ends writers at their next transaction.
    func stopWriting() { stopOfWriters.store(true, ordering: .relaxed) }
    var isWritingStopped: Bool { stopOfWriters.load(ordering: .relaxed) }

    /// The same, and ends readers when what they asked is answered.
    func stopAll() {
        stopWriting()
        stop.store(true, ordering: .relaxed)
    }
    var isStopped: Bool { stop.load(ordering: .relaxed) }
}

/// Waits on a thread of one's own.
func pause(milliseconds: Int) {
    usleep(UInt32(clamping: milliseconds * 1000))
}
