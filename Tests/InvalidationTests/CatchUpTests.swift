import Groundwork
import Postgres
import Testing

@testable import Invalidation

struct CatchUpTests {
    /// What those who waited were told, by their number.
    private final class Told: Sendable {
        private let answers = Groundwork.Mutex<[Int: [Bool]]>([:])
        func waiter(_ number: Int) -> CatchUps.Waiter {
            { answer in self.answers.withLock { $0[number, default: []].append(answer) } }
        }
        var all: [Int: [Bool]] { answers.withLock { $0 } }
    }

    @Test func `each is told once: of its position when that is reached, else of its deadline`() {
        for seed in 0..<300 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var catchUps = CatchUps()
            let told = Told()
            var open: [Int: (position: UInt64, deadline: Int64)] = [:]
            var expected: [Int: [Bool]] = [:]
            var now: Int64 = 0
            for number in 0..<100 {
                switch Int.random(in: 0..<4, using: &random) {
                case 0, 1:
                    let (position, deadline) = (
                        UInt64.random(in: 1...50, using: &random), now + Int64.random(in: 1...50, using: &random)
                    )
                    open[number] = (position, deadline)
                    let isIn = catchUps.add(
                        LogPosition(bytes: position), by: Instant(nanoseconds: deadline), told.waiter(number))
                    #expect(isIn)
                case 2:
                    let reached = UInt64.random(in: 0...50, using: &random)
                    for (number, wait) in open where wait.position <= reached { expected[number] = [true] }
                    open = open.filter { $0.value.position > reached }
                    for waiter in catchUps.takeReached(LogPosition(bytes: reached)) { waiter(true) }
                case _:
                    now += Int64.random(in: 0...20, using: &random)
                    for (number, wait) in open where wait.deadline <= now { expected[number] = [false] }
                    open = open.filter { $0.value.deadline > now }
                    for waiter in catchUps.takeOverdue(at: Instant(nanoseconds: now)) { waiter(false) }
                }
                #expect(told.all == expected, "seed \(seed)")
                #expect(catchUps.count == open.count, "seed \(seed)")
                #expect(catchUps.firstDeadline?.nanoseconds == open.values.map(\.deadline).min(), "seed \(seed)")
            }
            for number in open.keys { expected[number] = [false] }
            for waiter in catchUps.takeAll() { waiter(false) }
            #expect(told.all == expected, "seed \(seed)")
        }
    }

    @Test func `so many wait and no more`() {
        var catchUps = CatchUps()
        for _ in 0..<CatchUps.limit {
            let isIn = catchUps.add(LogPosition(bytes: 1), by: Instant(nanoseconds: 1)) { _ in }
            #expect(isIn)
        }
        let isIn = catchUps.add(LogPosition(bytes: 1), by: Instant(nanoseconds: 1)) { _ in }
        #expect(!isIn)
    }
}
