import Glibc

/// Runs `body` on a thread of its own, which nobody waits for. False when the system gives no thread; `body` is not run then.
///
/// - Parameter stackBytes: The room for what it calls. A MiB is enough for name resolution and TLS; the system's default of
///   8 MiB is for programs' main work.
public func startThread(stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    var handle = pthread_t()
    let context = Unmanaged.passRetained(ThreadBody(body))
    let code = pthread_create(
        &handle, &attributes,
        { context in
            guard let context else { return nil }
            Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, context.toOpaque())
    if code != 0 { context.release() }
    return code == 0
}

/// What a thread is to run, as something that a pointer can name.
private final class ThreadBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
