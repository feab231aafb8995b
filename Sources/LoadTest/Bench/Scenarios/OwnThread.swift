import Groundwork

/// Runs what blocks on a thread of its own: the threads of Swift's pool are as few as the cores.
func onOwnThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let isStarted = startThread { continuation.resume(with: Swift.Result { try body() }) }
        if !isStarted { continuation.resume(throwing: BenchError.noThread) }
    }
}

extension Instant {
    /// Returns then, or at once when that has passed; for threads that may block.
    func wait() {
        while true {
            let left = nanoseconds - Instant.now().nanoseconds
            guard left > 0 else { return }
            pause(milliseconds: Int(min(20, left / 1_000_000 + 1)))
        }
    }
}
