import CacheCore
import Groundwork

/// The keys that clients of one loop watch, and whose were invalidated meanwhile.
///
/// While there is one, every group is observed; otherwise nothing is. Confined to the loop but for what the groups call.
final class Watchers: @unchecked Sendable {
    // Unchecked: observers use `state` alone, which has a lock; the rest is the loop's thread's.

    /// A key, by its group's number.
    struct Key: Hashable, Sendable {
        let group: Int
        let bytes: [UInt8]
    }

    private struct State {
        var clients: [Key: Swift.Set<Int>] = [:]
        var touched: Swift.Set<Int> = []
    }

    /// The most bytes of keys that one client may watch, with so many more for each of them.
    static let limit = 256 << 10
    private static let overhead = 64

    private let keyspace: Keyspace
    private let state = Groundwork.Mutex(State())
    private var keys: [Int: Swift.Set<Key>] = [:]
    private var observations: [(group: Group, observation: Observation)] = []

    init(_ keyspace: Keyspace) {
        self.keyspace = keyspace
    }

    /// Watches more keys for a client: an invalidation that comes after this is noted. False when they are too many.
    func watch(_ keys: [Key], for client: Int) -> Bool {
        let all = self.keys[client, default: []].union(keys)
        guard all.reduce(0, { $0 + $1.bytes.count + Self.overhead }) <= Self.limit else { return false }
        self.keys[client] = all
        state.withLock { state in
            for key in keys { state.clients[key, default: []].insert(client) }
        }
        observeIfWanted()
        return true
    }

    /// Whether a key that the client watches was invalidated.
    func isTouched(_ client: Int) -> Bool {
        keys[client] != nil && state.withLock { $0.touched.contains(client) }
    }

    /// Forgets what a client watches.
    func forget(_ client: Int) {
        guard let keys = keys.removeValue(forKey: client) else { return }
        state.withLock { state in
            state.touched.remove(client)
            for key in keys {
                state.clients[key]?.remove(client)
                if state.clients[key]?.isEmpty == true { state.clients[key] = nil }
            }
        }
        observeIfWanted()
    }

    private func observeIfWanted() {
        if keys.isEmpty {
            for (group, observation) in observations { group.removeObserver(observation) }
            observations = []
        } else if observations.isEmpty {
            observations = keyspace.groups.enumerated().map { index, served in
                let observation = served.group.addObserver { [self] event, key in
                    if event == .invalidated { touch(Key(group: index, bytes: key.bytes)) }
                }
                return (served.group, observation)
            }
        }
    }

    /// Any thread, outside every lock.
    private func touch(_ key: Key) {
        state.withLock { state in
            if let clients = state.clients[key] { state.touched.formUnion(clients) }
        }
    }
}
