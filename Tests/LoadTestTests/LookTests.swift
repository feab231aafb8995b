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
}
