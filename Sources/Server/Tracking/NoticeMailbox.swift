import Groundwork
import Synchronization

/// The notices that wait for one loop. Any thread posts; the loop's own takes them.
///
/// It is bounded. Beyond the bound all notices are dropped and the loop is told so; its clients are then told to forget
/// everything.
final class NoticeMailbox: Sendable {
    private struct State: Sendable {
        var notices: [Notice] = []
        var byteCount = 0
        var hasLost = false
        var wake: (@Sendable () -> Void)?
    }

    private let limit: Int
    private let state = Groundwork.Mutex(State())
    /// Whether there is something to take. Spares the lock.
    private let hasMail = Atomic<Bool>(false)

    /// A mailbox for `limit` bytes of notices.
    init(limit: Int) {
        self.limit = limit
    }

    /// Has `wake` called, from any thread, when the first notice is there.
    func onMail(_ wake: @escaping @Sendable () -> Void) {
        state.withLock { $0.wake = wake }
    }

    func post(_ notice: Notice) {
        add(notice)?()
    }

    /// Puts a notice in. Returns what wakes the loop, to be called with no lock held; nil when the loop was woken before.
    func add(_ notice: Notice) -> (@Sendable () -> Void)? {
        state.withLock { state in
            let isFirst = state.notices.isEmpty && !state.hasLost
            state.byteCount += notice.byteCount
            if state.byteCount > limit {
                state.notices = []
                state.byteCount = 0
                state.hasLost = true
            } else {
                state.notices.append(notice)
            }
            hasMail.store(true, ordering: .releasing)
            return isFirst ? state.wake : nil
        }
    }

    /// Whether there may be something to ``take()``.
    var isEmpty: Bool { !hasMail.load(ordering: .acquiring) }

    /// All notices in their order, and whether some were lost before them.
    func take() -> (notices: [Notice], hasLost: Bool) {
        state.withLock { state in
            let taken = state.notices
            let hasLost = state.hasLost
            state.notices = []
            state.byteCount = 0
            state.hasLost = false
            hasMail.store(false, ordering: .releasing)
            return (taken, hasLost)
        }
    }
}
