import Testing

@testable import Postgres

struct PoolStateTests {
    private func isRetry(_ action: PoolState.Action, within range: ClosedRange<Duration>) -> Bool {
        guard case .retry(let delay) = action else { return false }
        return range.contains(delay)
    }

    @Test func `all connections are opened at the start`() {
        var state = PoolState(share: 3)
        #expect(state.start() == .connect(3))
        #expect(state.connected() == .nothing)
        #expect(!state.isDown)
        #expect(state.connected() == .nothing)
        #expect(state.connected() == .nothing)
        #expect(state.ready == 3)
    }

    @Test func `after a failure one attempt at a time is made, later and later`() {
        var state = PoolState(share: 4)
        #expect(state.start() == .connect(4))
        #expect(isRetry(state.attemptFailed(), within: .milliseconds(100) ... .milliseconds(200)))
        for _ in 0..<3 { #expect(state.attemptFailed() == .nothing) }
        #expect(state.isDown)
        #expect(state.retryDue() == .connect(1))
        #expect(isRetry(state.attemptFailed(), within: .milliseconds(1600) ... .milliseconds(3200)))
        for _ in 0..<20 {
            #expect(state.retryDue() == .connect(1))
            #expect(isRetry(state.attemptFailed(), within: .milliseconds(1600) ... .seconds(10)))
        }
        #expect(state.retryDue() == .connect(1))
        #expect(state.connected() == .connect(3))
        #expect(!state.isDown)
    }

    @Test func `a loss is made good soon, and loads may wait for the first attempt`() {
        var state = PoolState(share: 1)
        _ = state.start()
        _ = state.connected()
        #expect(isRetry(state.lost(after: .seconds(60)), within: .milliseconds(50) ... .milliseconds(100)))
        #expect(!state.isDown)
        #expect(state.retryDue() == .connect(1))
        #expect(isRetry(state.attemptFailed(), within: .milliseconds(100) ... .milliseconds(200)))
        #expect(state.isDown)
    }

    @Test func `a connection that the pool gave up itself is made anew at once`() {
        var state = PoolState(share: 2)
        _ = state.start()
        _ = state.connected()
        _ = state.connected()
        #expect(state.gaveUp() == .connect(1))
        #expect(!state.isDown)
        #expect(state.connected() == .nothing)
        #expect(state.ready == 2)
    }

    @Test func `a connection that never holds is not made in a hot loop`() {
        var state = PoolState(share: 1)
        _ = state.start()
        var waited = Duration.zero
        for _ in 0..<20 {
            _ = state.connected()
            guard case .retry(let delay) = state.lost(after: .milliseconds(3)) else {
                Issue.record("not retried")
                return
            }
            waited += delay
            #expect(state.retryDue() == .connect(1))
        }
        #expect(waited > .seconds(60))
    }

    @Test func `with some connections and no more to have, the others are asked for slowly`() {
        var state = PoolState(share: 3)
        _ = state.start()
        #expect(state.connected() == .nothing)
        #expect(isRetry(state.attemptFailed(), within: .milliseconds(100) ... .milliseconds(200)))
        #expect(state.attemptFailed() == .nothing)
        #expect(!state.isDown)
        for _ in 0..<10 {
            #expect(state.retryDue() == .connect(1))
            _ = state.attemptFailed()
        }
        #expect(state.retryDue() == .connect(1))
        #expect(isRetry(state.attemptFailed(), within: .seconds(5) ... .seconds(10)))
    }

    @Test func `a closed pool does nothing more`() {
        var state = PoolState(share: 2)
        _ = state.start()
        _ = state.connected()
        state.close()
        #expect(state.attemptFailed() == .nothing)
        #expect(state.retryDue() == .nothing)
    }
}
