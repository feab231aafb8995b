import Groundwork
import Postgres
import Testing

@testable import Invalidation

struct SnapshotTests {
    @Test func `a snapshot sees what has ended`() throws {
        let snapshot = try #require(Snapshot("100:110:103,107"))
        let unseen: Set<UInt32> = [103, 107, 110, 111]
        for transaction in UInt32(95)...111 { #expect(snapshot.sees(transaction) == !unseen.contains(transaction)) }
        #expect(try #require(Snapshot("100:100:")).sees(99))
        #expect(try !#require(Snapshot("100:100:")).sees(100))
    }

    @Test(arguments: [
        "", "1", "1:2", "a:2:", "3:2:", "1:5:5", "1:5:0", "1:5:3,2", "1:5:3,3", "1:5:x", "1:5:3:", "-1:5:",
        "1:99999999999999999999:",
    ])
    func `what is no snapshot is refused`(_ text: String) {
        #expect(Snapshot(text) == nil)
    }

    @Test func `transactions are told apart around each wraparound`() throws {
        for epoch in [UInt64(1), 2, 77, 1 << 31] {
            let next = epoch << 32 | 5
            let snapshot = try #require(Snapshot("\(next - 10):\(next):\(next - 8),\(next - 2)"))
            #expect(snapshot.sees(UInt32(truncatingIfNeeded: next - 11)))
            #expect(snapshot.sees(UInt32(truncatingIfNeeded: next - 9)))
            #expect(!snapshot.sees(UInt32(truncatingIfNeeded: next - 8)))
            #expect(!snapshot.sees(UInt32(truncatingIfNeeded: next - 2)))
            #expect(snapshot.sees(UInt32(truncatingIfNeeded: next - 1)))
            #expect(!snapshot.sees(UInt32(truncatingIfNeeded: next)))
            #expect(!snapshot.sees(UInt32(truncatingIfNeeded: next + 100)))
        }
    }

    @Test func `a snapshot agrees with its numbers, whatever they are`() throws {
        var random = SplitMix64(seed: 3)
        for _ in 0..<2000 {
            let oldest = UInt64.random(in: 3...(1 << 40), using: &random)
            let next = oldest + UInt64.random(in: 0...60, using: &random)
            let running = (oldest..<next).filter { _ in Bool.random(using: &random) }
            let snapshot = try #require(
                Snapshot("\(oldest):\(next):\(running.map(String.init).joined(separator: ","))"))
            for transaction in max(3, oldest - 5)..<next + 5 {
                let isSeen = transaction < next && !running.contains(transaction)
                #expect(snapshot.sees(UInt32(truncatingIfNeeded: transaction)) == isSeen)
            }
        }
    }
}

struct VisibilityGateTests {
    private typealias Gate = VisibilityGate<String>

    private func position(_ bytes: UInt64) -> LogPosition { LogPosition(bytes: bytes) }

    private func sight(_ text: String) throws -> Gate.Sight { .snapshot(try #require(Snapshot(text))) }

    private func gate(at start: UInt64 = 0) throws -> Gate {
        var gate = Gate()
        #expect(
            gate.begin(at: position(start), seeing: try sight("10:10:"), running: [], everything: "all") == .nothing)
        return gate
    }

    private func answer(_ gate: inout Gate, _ text: String) throws -> (released: [String], action: Gate.Action) {
        var released: [String] = []
        let action = gate.answered(try sight(text)) { released.append($0) }
        return (released, action)
    }

    @Test func `a transaction is held until a snapshot sees it`() throws {
        var gate = try gate()
        #expect(gate.hold(10, from: position(90), to: position(100), "ten") == .ask)
        #expect(gate.released == position(90))
        let first = try answer(&gate, "10:11:10")
        #expect(first.released == [] && first.action == .pause(.microseconds(500)))
        #expect(gate.pauseEnded() == .ask)
        let second = try answer(&gate, "10:11:10")
        #expect(second.action == .pause(.milliseconds(1)))
        #expect(gate.pauseEnded() == .ask)
        let third = try answer(&gate, "11:11:")
        #expect(third.released == ["ten"] && third.action == .nothing)
        #expect(gate.released == position(100))
    }

    @Test func `one question is asked at a time, for all that is held, and what came since is asked about at once`()
        throws
    {
        var gate = try gate()
        #expect(gate.hold(10, from: position(90), to: position(100), "ten") == .ask)
        #expect(gate.hold(11, from: position(110), to: position(120), "eleven") == .nothing)
        let first = try answer(&gate, "10:11:10")
        #expect(first.released == [] && first.action == .ask)
        #expect(gate.hold(12, from: position(130), to: position(140), "twelve") == .nothing)
        let second = try answer(&gate, "10:13:10,12")
        #expect(second.released == ["eleven"] && second.action == .ask)
        let third = try answer(&gate, "10:13:10,12")
        #expect(third.released == [] && third.action == .pause(.microseconds(500)))
        // What comes in a pause ends it.
        #expect(gate.hold(13, from: position(150), to: position(160), "thirteen") == .ask)
        #expect(gate.pauseEnded() == .nothing)
        #expect(gate.released == position(90))
        let fourth = try answer(&gate, "14:14:")
        #expect(fourth.released == ["ten", "twelve", "thirteen"])
        #expect(gate.released == position(160))
    }

    @Test func `positions without changes pass when nothing is held`() throws {
        var gate = try gate()
        gate.receivedAll(upTo: position(50))
        #expect(gate.released == position(50))
        _ = gate.hold(10, from: position(60), to: position(70), "ten")
        gate.receivedAll(upTo: position(80))
        #expect(gate.released == position(60))
        _ = try answer(&gate, "11:11:")
        #expect(gate.released == position(80))
        gate.receivedAll(upTo: position(75))
        #expect(gate.released == position(80))
    }

    @Test func `what ran when the stream began makes everything stale as it ends`() throws {
        var gate = Gate()
        #expect(
            gate.begin(at: position(50), seeing: try sight("7:20:7,9"), running: [9, 20], everything: "all") == .ask)
        #expect(gate.released == position(50))
        let first = try answer(&gate, "7:21:7,20")
        #expect(first.released == ["all"] && first.action == .pause(.microseconds(500)))
        #expect(gate.pauseEnded() == .ask)
        let second = try answer(&gate, "20:21:20")
        #expect(second.released == ["all"] && gate.count == 1)
        #expect(gate.pauseEnded() == .ask)
        #expect(try answer(&gate, "30:30:").released == ["all"])
    }

    @Test func `a standby shows what it has replayed`() throws {
        var gate = Gate()
        #expect(gate.begin(at: position(50), seeing: .replayed(position(40)), running: [], everything: "all") == .ask)
        #expect(gate.hold(10, from: position(60), to: position(70), "ten") == .nothing)
        var released: [String] = []
        #expect(gate.answered(.replayed(position(69))) { released.append($0) } == .ask)
        #expect(released == ["all"])
        // It was promoted.
        #expect(try answer(&gate, "11:11:").released == ["ten"])
    }

    @Test func `an answer that nobody asked for releases nothing`() throws {
        var gate = try gate()
        #expect(try answer(&gate, "100:100:").released == [])
        _ = gate.hold(10, from: position(90), to: position(100), "ten")
        _ = try answer(&gate, "10:11:10")
        #expect(try answer(&gate, "100:100:").released == [])
        #expect(gate.count == 1)
    }

    @Test func `each transaction is released once, in the order of commits, whatever ends when`() throws {
        var random = SplitMix64(seed: 4)
        for _ in 0..<500 {
            var gate = try gate()
            var (running, held, released): (Set<UInt64>, [UInt64], [UInt64]) = ([], [], [])
            var (next, asks): (UInt64, Bool) = (10, false)
            func act(_ action: Gate.Action) {
                switch action {
                case .ask: asks = true
                case .pause, .nothing: break
                }
            }
            for step in 0..<120 {
                switch Int.random(in: 0...3, using: &random) {
                case 0 where step < 80:
                    running.insert(next)
                    held.append(next)
                    let offset = UInt64(step * 10)
                    act(gate.hold(UInt32(next), from: position(offset), to: position(offset + 5), "\(next)"))
                    next += 1
                case 1: if let one = running.randomElement(using: &random) { running.remove(one) }
                case 2: act(gate.pauseEnded())
                case _:
                    guard asks else { continue }
                    asks = false
                    let list = running.sorted()
                    var batch: [UInt64] = []
                    let text = "\(list.first ?? next):\(next):\(list.map(String.init).joined(separator: ","))"
                    act(gate.answered(try sight(text)) { batch.append(UInt64($0)!) })
                    #expect(batch == held.filter { !running.contains($0) && !released.contains($0) })
                    released += batch
                }
            }
            running = []
            act(gate.pauseEnded())
            while asks {
                asks = false
                act(gate.answered(try sight("\(next):\(next):")) { released.append(UInt64($0)!) })
            }
            #expect(released.sorted() == held && gate.count == 0)
        }
    }
}
