import Testing

@testable import EventLoop

struct ModerationTests {
    /// Plays rounds in which so many clients are ready, in turn; returns how many of the last ones were followed by a rest.
    private func rests(of clients: Int, together: Int) -> Int {
        var moderation = Moderation()
        var last = [UInt32](repeating: 0, count: clients)
        var next = 0
        var rests = 0
        for round in 0..<100 {
            for _ in 0..<together {
                moderation.note(&last[next])
                next = (next + 1) % clients
            }
            if moderation.endRound(), round >= 50 { rests += 1 }
        }
        return rests
    }

    @Test func `a loop rests when many clients take turns`() {
        #expect(rests(of: 50, together: 7) == 50)
        #expect(rests(of: 1000, together: 100) == 50)
    }

    @Test func `a loop never rests while all its clients wait for it, or few ask at once`() {
        #expect(rests(of: 4, together: 4) == 0)
        #expect(rests(of: 50, together: 50) == 0)
        #expect(rests(of: 12, together: 6) == 0)
        #expect(rests(of: 1000, together: 3) == 0)
    }
}
