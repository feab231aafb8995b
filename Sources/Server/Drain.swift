import EventLoop
import Groundwork

/// The end of a server: every loop's clients are asked to finish, and those that are not done by the deadline are closed.
final class Drain: Sendable {
    private let clients: [Clients]
    private let loop: EventLoop
    private let state: Groundwork.Mutex<State>

    private struct State {
        /// The loops that still have clients, by index.
        var busy: Swift.Set<Int>
        var done: (@Sendable () -> Void)?
    }

    /// Calls `done` once, on a loop's thread, when no client is left. `loop` keeps the deadline.
    init(of clients: [Clients], on loop: EventLoop, done: @escaping @Sendable () -> Void) {
        self.clients = clients
        self.loop = loop
        state = Groundwork.Mutex(State(busy: Swift.Set(clients.indices), done: done))
    }

    /// To be called on the loop.
    func start(deadline: Duration) {
        for (index, clients) in clients.enumerated() {
            clients.loop.submit { [self] in
                clients.drain { [self] in finished(index) }
            }
        }
        loop.schedule(at: Instant.now() + deadline) { [self] in
            for clients in clients { clients.loop.submit { clients.closeAll() } }
        }
    }

    private func finished(_ index: Int) {
        let done: (@Sendable () -> Void)? = state.withLock { state in
            state.busy.remove(index)
            return state.busy.isEmpty ? state.done.take() : nil
        }
        done?()
    }
}
