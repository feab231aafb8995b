import Glibc

/// Runs what blocks on a short-lived thread of its own. False when the system gives no thread.
func runDetached(_ body: @escaping @Sendable () -> Void) -> Bool {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    // Name resolution and TLS fit in this; the default of 8 MiB is for programs' main work.
    pthread_attr_setstacksize(&attributes, 1 << 20)
    var handle = pthread_t()
    let context = Unmanaged.passRetained(DetachedBody(body))
    let code = pthread_create(
        &handle, &attributes,
        { context in
            guard let context else { return nil }
            Unmanaged<DetachedBody>.fromOpaque(context).takeRetainedValue().body()
            return nil
        }, context.toOpaque())
    if code != 0 { context.release() }
    return code == 0
}

/// What a thread is to run, as something that a pointer can name.
private final class DetachedBody: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
