import Glibc
import Groundwork
import Logging
import Server
import ServiceLifecycle

/// Serves clients until the shutdown begins, then drains.
struct ServerService: SidecarService {
    let server: Server
    let live: Live
    let logger: Logger
    let whenReady: @Sendable () -> Void

    func run() async throws {
        do throws(ServerError) {
            try server.start()
        } catch {
            throw StartupError(.socketUnavailable, "\(error)")
        }
        logger.info("ready", metadata: ["socket": "\(live.settings.listen.socket)", "groups": "\(live.groups.count)"])
        ServiceNotification.ready.send()
        whenReady()
        // Cancelled when another service failed: that too is a shutdown, and its error is the one to tell.
        try? await gracefulShutdown()
        endAtNextSignal()
        ServiceNotification.stopping.send()
        let deadline = live.settings.drainTimeout
        logger.info("draining", metadata: ["deadline": "\(deadline)"])
        await server.stop(deadline: deadline)
    }

    /// From now on a signal does what it does to any process.
    ///
    /// Dispatch waits for signals by signalfd(2), for which it blocks them in each thread that meets one; it may have come
    /// to all threads with the first signal, and then the second would be read and lost. So one more thread is made that
    /// has them open.
    private func endAtNextSignal() {
        signal(SIGTERM, SIG_DFL)
        signal(SIGINT, SIG_DFL)
        _ = startThread(stackBytes: 256 << 10) {
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGTERM)
            sigaddset(&signals, SIGINT)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            while true { pause() }
        }
    }
}
