/// Waits until something is so, asking again and again: the way to wait for an event that tells nobody.
///
/// - Returns: Whether it came to be so within `limit`. The last answer counts, however late the machine asked.
package func eventually(
    within limit: Duration = .seconds(120), isolation: isolated (any Actor)? = #isolation,
    _ isSo: () async throws -> Bool
) async rethrows -> Bool {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await isSo() { return true }
        // A task that was cancelled sleeps no more, and asks all the more often.
        try? await Task.sleep(for: .milliseconds(2))
    }
    return try await isSo()
}

/// Why a test can't go on.
package struct Failure: Error, CustomStringConvertible {
    /// What happened.
    package let description: String

    /// A failure, told to whoever reads the test's output.
    package init(_ description: String) { self.description = description }
}
