import Groundwork
import Testing

@testable import Invalidation

/// A stream's state under a clock that the test moves.
private struct Stage {
    var state: StreamState
    var now = Instant(nanoseconds: 1_000_000_000)

    init(heartbeat: Duration = .seconds(5), seed: UInt64 = 1) {
        state = StreamState(heartbeat: heartbeat, unproven: "swallowed", seed: seed)
    }

    /// Moves the clock to what is due next, and tells what is to be done then.
    mutating func nextDue() -> [StreamState.Action] {
        guard let due = state.nextLook else { return [] }
        now = max(now, due)
        return state.timeCame(at: now)
    }

    /// Brings the stream up.
    mutating func live() {
        #expect(state.start() == [.connect])
        #expect(state.opened(at: now) == [])
        #expect(state.proven(at: now) == [.trust, .beat])
    }
}

struct StreamStateTests {
    @Test func `it is trusted when it was opened and then proven, and not before`() {
        var stage = Stage()
        #expect(stage.state.start() == [.connect])
        #expect(stage.state.proven(at: stage.now) == [])
        #expect(!stage.state.isTrusted)
        #expect(stage.state.opened(at: stage.now) == [])
        #expect(!stage.state.isTrusted)
        #expect(stage.state.proven(at: stage.now) == [.trust, .beat])
        #expect(stage.state.isTrusted)
    }

    @Test func `a connection that is not proven within a heartbeat is closed, with what to do about it`() {
        var stage = Stage()
        _ = stage.state.start()
        _ = stage.state.opened(at: stage.now)
        #expect(stage.state.timeCame(at: stage.now + .milliseconds(4999)) == [])
        #expect(stage.state.timeCame(at: stage.now + .seconds(5)) == [.close, .distrust("swallowed")])
        #expect(stage.state.proven(at: stage.now + .seconds(5)) == [])
    }

    @Test func `an answered beat is followed by the next one a heartbeat later`() {
        var stage = Stage()
        stage.live()
        stage.state.beatAnswered(at: stage.now)
        let answered = stage.now
        #expect(stage.nextDue() == [.beat])
        #expect(stage.now - answered == .seconds(5))
    }

    @Test func `one that says nothing for a heartbeat after it was asked is lost`() {
        var stage = Stage()
        stage.live()
        let actions = stage.nextDue()
        #expect(actions.first == .close)
        #expect(actions.count == 2)
        #expect(!stage.state.isTrusted)
    }

    @Test func `however short the heartbeat, a second is left for a sign of life`() {
        var stage = Stage(heartbeat: .milliseconds(100))
        stage.live()
        #expect(stage.state.timeCame(at: stage.now + .milliseconds(999)) == [])
        stage.state.beatAnswered(at: stage.now)
        let answered = stage.now
        #expect(stage.nextDue() == [.beat])
        #expect(stage.now - answered == .milliseconds(100))
        let sent = stage.now
        #expect(stage.nextDue().first == .close)
        #expect(stage.now - sent == .seconds(1))
    }

    @Test func `one that has much to say before its answer is not lost, and is when it falls silent`() {
        var stage = Stage()
        stage.live()
        for _ in 0..<100 {
            stage.now = stage.now + .seconds(4)
            stage.state.heard(at: stage.now)
            #expect(stage.state.timeCame(at: stage.now) == [])
        }
        let last = stage.now
        #expect(stage.nextDue().first == .close)
        #expect(stage.now - last == .seconds(5))
    }

    @Test func `what came late, of a connection that was given up, is not taken for the next one's`() {
        var stage = Stage()
        stage.live()
        _ = stage.state.lost("cut", at: stage.now)
        stage.state.beatAnswered(at: stage.now)
        stage.state.heard(at: stage.now)
        #expect(stage.state.proven(at: stage.now) == [])
        #expect(stage.state.opened(at: stage.now) == [])
        #expect(stage.state.lost("again", at: stage.now) == [])
        #expect(!stage.state.isTrusted)
    }

    @Test func `pauses grow from a tenth of a second to ten, less up to a half`() {
        for seed in 0..<50 as Range<UInt64> {
            var stage = Stage(seed: seed)
            #expect(stage.state.start() == [.connect])
            for failure in 1...20 {
                #expect(stage.state.lost("refused", at: stage.now) == [.close, .distrust("refused")])
                let before = stage.now
                #expect(stage.nextDue() == [.connect])
                let whole = min(Duration.seconds(10), .milliseconds(100) * (1 << failure))
                #expect(stage.now - before <= whole && stage.now - before >= whole / 2)
            }
        }
    }

    @Test func `one that is lost soon after it came is fetched later and later, one that held is fetched at once`() {
        var stage = Stage()
        #expect(stage.state.start() == [.connect])
        var pauses: [Duration] = []
        for life in [Duration.seconds(1), .seconds(1), .seconds(1), .seconds(1), .seconds(60)] {
            _ = stage.state.opened(at: stage.now)
            #expect(stage.state.proven(at: stage.now) == [.trust, .beat])
            stage.state.beatAnswered(at: stage.now)
            stage.now = stage.now + life
            #expect(stage.state.lost("cut", at: stage.now) == [.close, .distrust("cut")])
            let before = stage.now
            #expect(stage.nextDue() == [.connect])
            pauses.append(stage.now - before)
        }
        #expect(pauses[3] >= .milliseconds(800))
        #expect(pauses[4] <= .milliseconds(100))
    }

    @Test func `at its end it closes what is open, and nothing begins any more`() {
        var stage = Stage()
        stage.live()
        #expect(stage.state.end() == [.close])
        #expect(stage.state.nextLook == nil)
        #expect(stage.state.start() == [])
        #expect(stage.state.lost("late", at: stage.now) == [])
        var connecting = Stage()
        _ = connecting.state.start()
        #expect(connecting.state.end() == [])
        #expect(connecting.state.opened(at: connecting.now) == [.close])
    }

    @Test
    func `whatever comes in whatever order, there is one connection, and trust only of one that was proven and lives`()
    {
        for seed in 0..<400 as Range<UInt64> {
            var random = SplitMix64(seed: seed)
            var stage = Stage(seed: seed)
            // What the actions amount to.
            var (isMaking, isOpen, isProven, isTrusted, hasEnded) = (false, false, false, false, false)
            func carryOut(_ actions: [StreamState.Action]) {
                for action in actions {
                    switch action {
                    case .connect:
                        #expect(!isMaking && !isOpen && !hasEnded, "seed \(seed)")
                        isMaking = true
                    case .close: (isMaking, isOpen, isProven) = (false, false, false)
                    case .beat: #expect(isOpen && isTrusted, "seed \(seed)")
                    case .trust:
                        #expect(isOpen && isProven && !isTrusted, "seed \(seed)")
                        isTrusted = true
                    case .distrust: isTrusted = false
                    }
                }
            }
            carryOut(stage.state.start())
            for _ in 0..<200 {
                stage.now = stage.now + .milliseconds(Int64.random(in: 0...3000, using: &random))
                switch Int.random(in: 0..<100, using: &random) {
                case 0..<30:
                    guard isMaking else { continue }
                    (isMaking, isOpen) = (false, true)
                    carryOut(stage.state.opened(at: stage.now))
                case 30..<45:
                    if isOpen { isProven = true }
                    carryOut(stage.state.proven(at: stage.now))
                case 45..<60: stage.state.beatAnswered(at: stage.now)
                case 60..<70: stage.state.heard(at: stage.now)
                case 70..<75:
                    guard isMaking || isOpen else { continue }
                    (isMaking, isOpen, isProven) = (false, false, false)
                    carryOut(stage.state.lost("cut", at: stage.now))
                case 75..<99: carryOut(stage.state.timeCame(at: stage.now))
                case _:
                    hasEnded = Int.random(in: 0..<10, using: &random) == 0
                    if hasEnded { carryOut(stage.state.end()) }
                }
                if hasEnded { break }
                #expect(stage.state.isTrusted == isTrusted, "seed \(seed)")
                // There is always something that goes on by itself: an attempt under way, or a time to look.
                #expect(isMaking || stage.state.nextLook != nil, "seed \(seed)")
            }
        }
    }
}
