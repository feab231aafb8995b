import Testing

@testable import LoadTest

@Suite struct RecorderTests {
    /// From 1 s to 2 s, in ten steps.
    private func recorder() -> Recorder { Recorder(from: 1_000_000_000, until: 2_000_000_000, intervalCount: 10) }

    private func at(_ milliseconds: Int64) -> Int64 { milliseconds * 1_000_000 }

    @Test func `what was due in the measured time counts, however late it is answered`() {
        var recorder = recorder()
        recorder.noteAnswers(1, due: at(999), at: at(1001), width: 1)
        recorder.noteAnswers(1, due: at(1500), at: at(1510), width: 1)
        recorder.noteAnswers(1, due: at(1900), at: at(2900), width: 1)
        recorder.noteAnswers(1, due: at(2000), at: at(2001), width: 1)
        // Two were answered in the time, two were due in it.
        #expect(recorder.counts.answered == 2)
        let latency = LatencySummary(recorder.latency)
        #expect(latency.count == 2)
        #expect(abs(latency.max - 1_000_000) < 1000)
        #expect(recorder.intervals.map(\.answered) == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    }

    @Test func `what was never answered has waited to the end and is an error`() {
        var recorder = recorder()
        recorder.noteUnanswered(due: at(1500), at: at(4500))
        recorder.noteUnanswered(due: at(500), at: at(4500))
        #expect(recorder.counts.errors == 1)
        #expect(abs(LatencySummary(recorder.latency).max - 3_000_000) < 3000)
    }

    @Test func `errors are no latencies, and the first one's text is kept`() {
        var recorder = recorder()
        recorder.noteErrors(3, "ERR first", at: at(1100))
        recorder.noteErrors(1, "ERR second", at: at(1200))
        recorder.noteErrors(1, "ERR too late", at: at(2100))
        #expect(recorder.counts.errors == 4)
        #expect(recorder.counts.firstError == "ERR first")
        #expect(LatencySummary(recorder.latency).count == 0)
        #expect(recorder.intervals.map(\.errors) == [0, 3, 1, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `what several loops measured is one measurement`() {
        var whole = recorder()
        for loop in 0..<4 {
            var part = recorder()
            part.noteAnswers(16, due: at(1100), at: at(1101 + Int64(loop)), width: 10, missing: 3)
            part.noteLag(5000, due: at(1100))
            whole.add(part)
        }
        #expect(whole.counts.answered == 64)
        #expect(whole.counts.keys == 640)
        #expect(whole.counts.missing == 12)
        #expect(whole.counts.seconds == 1)
        #expect(whole.intervals[1].answered == 64)
        let latency = LatencySummary(whole.latency)
        #expect(latency.count == 64)
        #expect(abs(latency.p50 - 2000) < 10)
        #expect(abs(latency.max - 4000) < 10)
        #expect(abs(LatencySummary(whole.lag).p99 - 5) < 0.1)
    }

    @Test func `percentiles are right to a thousandth`() {
        var recorder = recorder()
        for index in 1...100_000 {
            recorder.noteAnswers(1, due: at(1000), at: at(1000) + Int64(index) * 1000, width: 1)
        }
        let latency = LatencySummary(recorder.latency)
        for (value, expected) in [
            (latency.p50, 50_000.0), (latency.p90, 90_000), (latency.p99, 99_000), (latency.p999, 99_900),
            (latency.p9999, 99_990), (latency.max, 100_000), (latency.mean, 50_000),
        ] {
            #expect(abs(value - expected) <= 0.001 * expected + 0.1)
        }
        #expect(latency.curve.last?.share == 1)
        #expect(latency.curve.map(\.latency) == latency.curve.map(\.latency).sorted())
    }
}
