import Dispatch

/// Waits until a condition holds, looking every ten milliseconds.
///
/// - Returns: Whether it came to hold within the deadline.
@discardableResult
package func comesTrue(
    within deadline: Duration, isolation: isolated (any Actor)? = #isolation, _ condition: () -> Bool
) async -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + deadline
    while !condition() {
        guard clock.now < end else { return false }
        // Not Task.sleep, which returns at once in a cancelled task: that one must still be able to clean up.
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(10)) { continuation.resume() }
        }
    }
    return true
}
