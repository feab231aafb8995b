import CacheCore
import EventLoop
import Groundwork
import ServiceLifecycle

/// Removes expired entries without their being asked for: one timer, set to the time when the next entry expires and set
/// anew when one comes in that expires earlier (cache2go's self-adjusting timer).
struct ExpiryService: SidecarService {
    let cache: Cache
    let loop: EventLoop

    func run() async throws {
        loop.submit { [cache, loop] in
            let timer = ExpiryTimer(of: cache, on: loop)
            cache.onSweepRequest { due in loop.submit { timer.set(to: due) } }
        }
        try? await gracefulShutdown()
        cache.onSweepRequest { _ in }
    }
}

/// The timer. Its loop's thread only.
private final class ExpiryTimer: @unchecked Sendable {
    // Unchecked: it travels in jobs of its loop and is touched nowhere else.
    private let cache: Cache
    private let loop: EventLoop
    private var timer: (deadline: Instant, timer: Timer)?

    /// Entries that expire one soon after the other leave together.
    private static let pause: Duration = .milliseconds(100)
    /// Pages of entries in one go: the loop's clients wait for well under a millisecond.
    private static let pages = 16

    init(of cache: Cache, on loop: EventLoop) {
        self.cache = cache
        self.loop = loop
    }

    func set(to due: Instant) {
        let deadline = max(due, loop.now + Self.pause)
        if let timer {
            guard deadline < timer.deadline else { return }
            loop.cancel(timer.timer)
        }
        timer = (deadline, loop.schedule(at: deadline) { [self] in sweep() })
    }

    private func sweep() {
        timer = nil
        let now = loop.now
        guard let next = cache.sweep(at: now, pages: Self.pages) else { return }
        if next <= now {
            // There is more to do: after the clients had their turn.
            timer = (now, loop.schedule(at: now + .milliseconds(1)) { [self] in sweep() })
        } else {
            set(to: next)
        }
    }
}
