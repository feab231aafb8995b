import Testing

@testable import LoadTest

@Suite struct ScheduleTests {
    private static let second: Int64 = 1_000_000_000

    @Test func `an open loop has about as many asks as its rate says, and none outside of its time`() {
        var schedule = Schedule.open(rate: 10_000, from: 5 * Self.second, until: 6 * Self.second, seed: 1)
        #expect(schedule.take(at: 5 * Self.second - 1) == nil)
        var dues: [Int64] = []
        while let due = schedule.take(at: .max) { dues.append(due) }
        // A Poisson process of ten thousand: its deviation is a hundred.
        #expect((9_500...10_500).contains(dues.count))
        #expect(dues == dues.sorted())
        #expect(dues.allSatisfy { $0 >= 5 * Self.second && $0 < 6 * Self.second })
        #expect(schedule.isOver(at: 0))
    }

    @Test func `what is taken late keeps the time that it was due at`() {
        var punctual = Schedule.open(rate: 1000, from: 0, until: Self.second, seed: 3)
        var late = punctual
        var dues: [Int64] = []
        while let next = punctual.nextDue {
            #expect(punctual.take(at: next - 1) == nil)
            #expect(punctual.take(at: next) == next)
            dues.append(next)
        }
        for due in dues { #expect(late.take(at: 10 * Self.second) == due) }
        #expect(late.take(at: 10 * Self.second) == nil)
    }

    @Test func `a closed loop is always due until its end`() {
        var schedule = Schedule.closed(until: 100)
        #expect(schedule.take(at: 42) == 42)
        #expect(schedule.take(at: 42) == 42)
        #expect(!schedule.isOver(at: 99))
        #expect(schedule.take(at: 100) == nil)
        #expect(schedule.isOver(at: 100))
        // What was taken before its end and is sent after it.
        #expect(schedule.within(99) == 99)
        #expect(schedule.within(103) == 99)
    }
}
