import EventLoop
import Foundation
import TestSupport
import Testing

@testable import SidecarApp

@Suite(.timeLimit(.minutes(10))) struct LoopPulseTests {
    @Test func `a loop that does not come to its job is stuck until it does`() async throws {
        let loops = [try EventLoop(index: 0), try EventLoop(index: 1)]
        for loop in loops { loop.start() }
        let pulse = LoopPulse(loops, patience: .milliseconds(20))
        #expect(pulse.isStuck() == nil)
        let release = DispatchSemaphore(value: 0)
        loops[1].submit { release.wait() }
        #expect(await eventually { pulse.isStuck()?.hasPrefix("loop 1 has not come to a job for ") == true })
        release.signal()
        #expect(await eventually { pulse.isStuck() == nil })
        for loop in loops { loop.stop() }
        for loop in loops { loop.join() }
    }
}
