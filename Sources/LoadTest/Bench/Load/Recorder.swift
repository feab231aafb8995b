import Groundwork
import Histogram

/// What one loop of the generator measured. Times are nanoseconds of the monotonic clock.
struct Recorder: Sendable {
    /// The measured time: what is before it is warm-up.
    let start: Int64
    let end: Int64
    /// The length of an interval of the series.
    let step: Int64

    private(set) var latency = Recorder.histogram(.three)
    private(set) var lag = Recorder.histogram(.three)
    private(set) var intervals: [Interval]
    private(set) var counts = AskCounts()

    /// A step of the series.
    struct Interval: Sendable {
        var answered = 0
        var errors = 0
        /// Two digits, as there are many.
        var latency = Recorder.histogram(.two)
    }

    /// - Parameter intervalCount: Steps of the series.
    init(from start: Int64, until end: Int64, intervalCount: Int) {
        self.start = start
        self.end = end
        step = max(1, (end - start + Int64(intervalCount) - 1) / Int64(intervalCount))
        intervals = Array(repeating: Interval(), count: intervalCount)
        counts.seconds = Double(end - start) / 1e9
    }

    /// Of nanoseconds, up to an hour without growing.
    fileprivate static func histogram(_ digits: SignificantDigits) -> Histogram<UInt64> {
        var histogram = Histogram<UInt64>(
            highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: digits)
        histogram.autoResize = true
        return histogram
    }

    private func interval(at now: Int64) -> Int? {
        now >= start && now < end ? Int((now - start) / step) : nil
    }

    /// Notes requests of `width` keys that were due at the same time and answered at `now`.
    ///
    /// They count in the time when they were answered; their latency counts in the time when they were due, however late it is
    /// when the answer comes.
    mutating func noteAnswers(_ count: Int, due: Int64, at now: Int64, width: Int, missing: Int = 0) {
        let waited = UInt64(max(0, now - due))
        if due >= start, due < end { latency.record(waited, count: UInt64(count)) }
        guard let index = interval(at: now) else { return }
        counts.answered += count
        counts.keys += count * width
        counts.missing += missing
        intervals[index].answered += count
        intervals[index].latency.record(waited, count: UInt64(count))
    }

    /// Notes requests that got an error, or none at all.
    mutating func noteErrors(_ count: Int, _ text: @autoclosure () -> String, at now: Int64) {
        guard count > 0, let index = interval(at: now) else { return }
        counts.errors += count
        if counts.firstError == nil { counts.firstError = text() }
        intervals[index].errors += count
    }

    /// Notes how much later than it could an ask was sent.
    mutating func noteLag(_ nanoseconds: Int64, due: Int64) {
        if due >= start, due < end { lag.record(UInt64(max(0, nanoseconds))) }
    }

    /// Notes an ask that was due and had no answer when it was given up: it waited at least this long.
    mutating func noteUnanswered(due: Int64, at now: Int64) {
        guard due >= start, due < end else { return }
        latency.record(UInt64(max(0, now - due)))
        counts.errors += 1
        if counts.firstError == nil { counts.firstError = "no answer before the run ended" }
    }

    /// Adds what another loop measured in the same time.
    mutating func add(_ other: Recorder) {
        latency.add(other.latency)
        lag.add(other.lag)
        counts.answered += other.counts.answered
        counts.keys += other.counts.keys
        counts.missing += other.counts.missing
        counts.errors += other.counts.errors
        counts.firstError = counts.firstError ?? other.counts.firstError
        for index in intervals.indices {
            intervals[index].answered += other.intervals[index].answered
            intervals[index].errors += other.intervals[index].errors
            intervals[index].latency.add(other.intervals[index].latency)
        }
    }
}
