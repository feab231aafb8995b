import EventLoop
import Groundwork

/// Finds a loop that does not get on: each is given a job, and is stuck when it has not come to it for long.
final class LoopPulse: Sendable {
    private let loops: [EventLoop]
    private let patience: Duration
    /// By loop: since when a job of ours waits.
    private let asked: Mutex<[Instant?]>

    init(_ loops: [EventLoop], patience: Duration = .seconds(10)) {
        self.loops = loops
        self.patience = patience
        asked = Mutex(Array(repeating: nil, count: loops.count))
    }

    /// Why the sidecar is stuck; nil: it is not, as far as was seen since the last call. Waits for nothing. Any thread.
    func isStuck() -> String? {
        let now = Instant.now()
        for (index, loop) in loops.enumerated() {
            let since = asked.withLock { asked in
                defer { asked[index] = asked[index] ?? now }
                return asked[index]
            }
            if let since {
                if now - since > patience { return "loop \(index) has not come to a job for \(now - since)" }
            } else {
                loop.submit { [weak self] in self?.asked.withLock { $0[index] = nil } }
            }
        }
        return nil
    }
}
