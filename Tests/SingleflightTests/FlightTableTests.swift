import Groundwork
import Singleflight
import Testing

import func TestSupport.threadTime

struct FlightTableTests {
    private func lead(_ table: inout FlightTable<String, Int>, _ key: String, _ waiter: Int?) -> Call<Int>? {
        switch table.join(key, waiter) {
        case .leads(let seat): seat.call
        case .follows: nil
        }
    }

    private func follow(_ table: inout FlightTable<String, Int>, _ key: String, _ waiter: Int?) -> Call<Int>? {
        switch table.join(key, waiter) {
        case .leads: nil
        case .follows(let seat): seat.call
        }
    }

    /// The seat of a waiter, whether it leads or follows.
    private func seat(_ table: inout FlightTable<String, Int>, _ key: String, _ waiter: Int?) -> Seat<Int> {
        switch table.join(key, waiter) {
        case .leads(let seat): seat
        case .follows(let seat): seat
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
        let leader = seat(&table, "k", 1)
        let call = leader.call
        _ = follow(&table, "k", 2)
        let wasThere = table.leave(leader)
        #expect(wasThere)
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

    @Test func `whoever left is not there again, nor does one take the seat of another out, nor any after the landing`()
        throws
    {
        var table = FlightTable<String, Int>()
        let seats = (0..<3).map { seat(&table, "k", $0) }
        #expect(seats.map { table.leave($0) } == [true, true, true])
        // These get the slots of those that left.
        let newcomers = (10..<13).map { seat(&table, "k", $0) }
        #expect(seats.map { table.leave($0) } == [false, false, false])
        #expect(table.waiterCount(of: "k") == 3)
        let landing = table.land(newcomers[0].call, of: "k")
        #expect(landing.waiters.all == [10, 11, 12])
        #expect(newcomers.map { table.leave($0) } == [false, false, false])
    }

    @Test(arguments: 1...10)
    func `waiters that come and leave in random order agree with a list`(seed: UInt64) throws {
        var random = SplitMix64(seed: seed)
        var table = FlightTable<String, Int>()
        let leader = seat(&table, "k", nil)
        var waiting: [(number: Int, seat: Seat<Int>)] = []
        for number in 0..<3000 {
            // A tide, so that all leave now and then.
            let leaves = Int.random(in: 0..<10, using: &random) < ((number / 300) % 2 == 0 ? 3 : 7)
            if leaves, let index = waiting.indices.randomElement(using: &random) {
                #expect(table.leave(waiting.remove(at: index).seat))
            } else {
                waiting.append((number, seat(&table, "k", number)))
            }
            try #require(table.waiterCount(of: "k") == waiting.count)
            #expect(table.hasWaiter(leader.call) { $0 == waiting.last?.number } == !waiting.isEmpty)
        }
        #expect(table.land(leader.call, of: "k").waiters.all == waiting.map(\.number))
    }

    @Test func `a million waiters leave one by one, from either end, in well under a second`() throws {
        var table = FlightTable<String, Int>()
        let seats = (0..<1_000_000).map { seat(&table, "k", $0) }
        let began = threadTime()
        for index in 0..<500_000 {
            table.leave(seats[index])
            table.leave(seats[999_999 - index])
        }
        // With a search for each it is a matter of hours.
        #expect(threadTime() - began < .seconds(20))
        #expect(table.waiterCount(of: "k") == 0)
    }
}
