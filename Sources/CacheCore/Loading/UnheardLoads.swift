import Groundwork
import Singleflight

/// The keys of loads that no invalidation knows by their text: what such a load reads may be what any invalidation is about,
/// so each fences all of them.
struct UnheardLoads {
    /// Beyond this number all of them are fenced, and the next ones share no load with them.
    static let limit = 1024

    private var keys: Set<Key> = []

    /// Adds a key, before its load is sent. Returns those to be fenced to make room.
    mutating func add(_ key: Key) -> Set<Key> {
        let full = keys.count >= Self.limit ? take() : []
        keys.insert(key)
        return full
    }

    /// Takes all of them out.
    mutating func take() -> Set<Key> {
        var taken: Set<Key> = []
        swap(&taken, &keys)
        return taken
    }
}

extension Group {
    /// Notes a load that is about to be sent. An invalidation that comes before that need not fence it.
    func noteLoad(of key: Key) {
        guard let spelling, !spelling.isOwn(key.bytes.span.bytes) else { return }
        fence(unheard.withLock { $0.add(key) })
    }

    /// Fences all loads that an invalidation may be about without knowing it: whoever asks from now on gets a new one. Beside the
    /// fence of its own key, in either order.
    func fenceUnheard() {
        if spelling != nil { fence(unheard.withLock { $0.take() }) }
    }

    private func fence(_ keys: Set<Key>) {
        for key in keys { withShard(of: key.hash) { _, state in _ = state.flights.forget(key) } }
    }
}
