import Glibc

/// Runs `body` on a thread of its own, which nobody waits for. False when the system gives no thread; `body` is not run then.
///
/// - Parameter stackBytes: The room for what it calls. A MiB is enough for name resolution and TLS; the system's default of
///   8 MiB is for programs' main work.
public func startThread(stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) -> Bool {
    guard let thread = JoinableThread(stackBytes: stackBytes, body) else { return false }
    _ = consume thread
    return true
}

/// A thread whose end can be waited for. One that nobody waits for any more is let go: what it has of the system's goes with its
/// end.
public struct JoinableThread: ~Copyable, Sendable {
    private let handle: pthread_t

    /// Runs `body` on a thread of its own. Nil when the system gives none; `body` is not run then.
    ///
    /// - Parameter stackBytes: The room for what it calls; nil: the system's default, 8 MiB.
    public init?(stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void) {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
        var handle = pthread_t()
        let context = Unmanaged.passRetained(ThreadBody(body))
        let code = pthread_create(
            &handle, &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            context.release()
            return nil
        }
        self.handle = handle
    }

    deinit {
        pthread_detach(handle)
    }

    /// Waits for its end. Not to be called on the thread itself.
    public consuming func join() {
        pthread_join(handle, nil)
        discard self
    }
}

/// What a thread is to run, as something that a pointer can name.
private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
