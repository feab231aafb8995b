import CLinux
import Glibc
import Groundwork

/// The signals that say nothing to a sidecar, and would end a process that does not expect them; and SIGHUP, which may ask for a
/// reload.
enum StraySignals {
    /// Written to by the signal's function, which may do little else (signal-safety(7)). Kept for ever, since a signal may
    /// come at any time.
    private static let hangups = eventfd(0, Int32(EFD_CLOEXEC))

    /// From now on SIGUSR1, SIGUSR2 and SIGALRM are ignored, and `onHangup` is called for SIGHUP, on a thread that is kept for it.
    static func ignore(onHangup: @escaping @Sendable () -> Void) {
        signal(SIGUSR1, SIG_IGN)
        signal(SIGUSR2, SIG_IGN)
        signal(SIGALRM, SIG_IGN)
        // Made here, before the signal's function may want it.
        let descriptor = hangups
        let isHeard =
            descriptor >= 0
            && startThread(stackBytes: 256 << 10) {
                // Somebody has to have it open: Dispatch's threads block signals.
                var signals = sigset_t()
                sigemptyset(&signals)
                sigaddset(&signals, SIGHUP)
                pthread_sigmask(SIG_UNBLOCK, &signals, nil)
                var count: UInt64 = 0
                while true {
                    if read(descriptor, &count, MemoryLayout<UInt64>.size) > 0 {
                        onHangup()
                    } else if errno != EINTR {
                        return
                    }
                }
            }
        guard isHeard else {
            signal(SIGHUP, SIG_IGN)
            return
        }
        signal(SIGHUP) { _ in
            let before = errno
            var one: UInt64 = 1
            _ = write(StraySignals.hangups, &one, MemoryLayout<UInt64>.size)
            errno = before
        }
    }
}
