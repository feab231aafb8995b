import DequeModule
import Groundwork

/// The events that wait for one loop. Any thread posts, the loop's takes.
///
/// It is bounded: when the loop falls behind, everything in it is lost, and the loop is told so.
final class EventMailbox: Sendable {
    private struct State {
        var events = Deque<KeyspaceEvent>()
        var byteCount = 0
        var isExpected = false
        var hasLost = false
    }

    private let limit: Int
    private let state = Groundwork.Mutex(State())

    /// A mailbox for `limit` bytes of events.
    init(limit: Int) {
        self.limit = limit
    }

    /// Returns whether the loop has to be told that there is something to ``take(_:)``: it was not told before.
    func post(_ event: KeyspaceEvent) -> Bool {
        state.withLock { state in
            if state.byteCount + event.byteCount > limit {
                state.events = []
                state.byteCount = 0
                state.hasLost = true
            }
            state.events.append(event)
            state.byteCount += event.byteCount
            defer { state.isExpected = true }
            return !state.isExpected
        }
    }

    /// The oldest events, at most `count`; whether there are more to take; and whether some were lost before them.
    func take(_ count: Int) -> (events: [KeyspaceEvent], isMore: Bool, hasLost: Bool) {
        state.withLock { state in
            let taken = Array(state.events.prefix(count))
            state.events.removeFirst(taken.count)
            state.byteCount -= taken.reduce(0) { $0 + $1.byteCount }
            state.isExpected = !state.events.isEmpty
            if state.events.isEmpty { state.events = [] }
            defer { state.hasLost = false }
            return (taken, state.isExpected, state.hasLost)
        }
    }
}
