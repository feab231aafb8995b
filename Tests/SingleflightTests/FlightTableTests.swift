import Singleflight
import Testing

struct FlightTableTests {
    private func lead(_ table: inout FlightTable<String, Int>, _ key: String, _ waiter: Int?) -> Call<Int>? {
        switch table.join(key, waiter) {
        case .leads(let call): call
        case .follows: nil
        }
    }

    private func follow(_ table: inout FlightTable<String, Int>, _ key: String, _ waiter: Int?) -> Call<Int>? {
        switch table.join(key, waiter) {
        case .leads: nil
        case .follows(let call): call
        }
    }

    @Test func `the first leads, the others follow, and landing tells all in the order of their coming`() throws {
        var table = FlightTable<String, Int>()
        let call = try #require(lead(&table, "k", 1))
        for waiter in [2, 3] {
            let followed = follow(&table, "k", waiter)
            #expect(followed === call)
        }
        let landing = table.land(call, of: "k")
        #expect(landing.waiters.all == [1, 2, 3])
        #expect(!landing.isForgotten)
        #expect(table.count == 0)
    }

    @Test func `keys do not share flights`() throws {
        var table = FlightTable<String, Int>()
        _ = try #require(lead(&table, "a", 1))
        _ = try #require(lead(&table, "b", 2))
        #expect(table.count == 2)
    }

    @Test func `after forget a newcomer leads, and the forgotten flight does not end the new one`() throws {
        var table = FlightTable<String, Int>()
        let old = try #require(lead(&table, "k", 1))
        let wasFlying = table.forget("k")
        #expect(wasFlying)
        let new = try #require(lead(&table, "k", 2))
        let forgotten = table.land(old, of: "k")
        #expect(forgotten.isForgotten)
        #expect(forgotten.waiters.all == [1])
        let followed = follow(&table, "k", 3)
        #expect(followed === new)
        let landing = table.land(new, of: "k")
        #expect(landing.waiters.all == [2, 3])
    }

    @Test func `forget tells whether there was a flight`() {
        var table = FlightTable<String, Int>()
        let wasFlying = table.forget("k")
        #expect(!wasFlying)
    }

    @Test func `forgetting all detaches every flight`() throws {
        var table = FlightTable<String, Int>()
        let a = try #require(lead(&table, "a", 1))
        let b = try #require(lead(&table, "b", 2))
        table.forgetAll()
        #expect(table.count == 0)
        let landings = [table.land(a, of: "a"), table.land(b, of: "b")]
        #expect(landings.map(\.isForgotten) == [true, true])
    }

    @Test func `a waiter that left is not told, and the flight goes on`() throws {
        var table = FlightTable<String, Int>()
        let call = try #require(lead(&table, "k", 1))
        _ = follow(&table, "k", 2)
        table.leave(call) { $0 == 1 }
        #expect(table.hasWaiter(call) { $0 == 2 })
        #expect(!table.hasWaiter(call) { $0 == 1 })
        let landing = table.land(call, of: "k")
        #expect(landing.waiters.all == [2])
    }

    @Test func `a flight may have no waiter at all`() throws {
        var table = FlightTable<String, Int>()
        let call = try #require(lead(&table, "k", nil))
        #expect(table.isFlying("k"))
        let landing = table.land(call, of: "k")
        #expect(landing.waiters.count == 0)
    }
}
