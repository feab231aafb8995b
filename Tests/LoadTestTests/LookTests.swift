import Testing

@testable import LoadTest

/// What looks at the database tell of the time between them.
struct LookTests {
    private func looks(_ counts: (at: Int64, queries: Int)...) -> [DatabaseWatch.Look] {
        counts.map { DatabaseWatch.Look(at: $0.at, queries: $0.queries, activeSessions: 0) }
    }

    @Test func `a look that is late does not hide the queries before it`() {
        // Ten queries in each unit of time from the first look on, until 30.
        #expect(looks((10, 0), (20, 100), (30, 200)).queries(from: 10, to: 30) == 200)
        #expect(looks((8, 80), (24, 240), (37, 300)).queries(from: 10, to: 30) == 200)
    }

    @Test func `without a look before the first moment it counts from the first look, and to the last`() {
        #expect(looks((15, 50), (28, 180)).queries(from: 10, to: 30) == 130)
        #expect(looks((15, 50)).queries(from: 10, to: 30) == nil)
        #expect(looks().queries(from: 10, to: 30) == nil)
    }

    @Test func `a step of the series has its share of the queries between the looks around it`() {
        let looks = looks((10, 0), (20, 100), (40, 140))
        // The unit of time is a nanosecond.
        #expect(looks.queriesPerSecond(from: 10, to: 20) == 10e9)
        #expect(looks.queriesPerSecond(from: 20, to: 30) == 2e9)
        #expect(looks.queriesPerSecond(from: 15, to: 25) == 6e9)
        #expect(looks.queriesPerSecond(from: 0, to: 10) == nil)
        #expect(looks.queriesPerSecond(from: 40, to: 50) == nil)
        #expect(Array(looks.prefix(1)).queriesPerSecond(from: 5, to: 15) == nil)
    }
}
