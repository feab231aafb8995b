import Groundwork

/// Runs what blocks on a short-lived thread of its own: name resolution and TLS fit in its stack. False when the system
/// gives no thread.
func runDetached(_ body: @escaping @Sendable () -> Void) -> Bool {
    startThread(stackBytes: 1 << 20, body)
}
