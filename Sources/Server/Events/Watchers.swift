import CacheCore
import Groundwork

/// A key of a group.
struct WatchedKey: Hashable, Sendable {
    let group: ObjectIdentifier
    let bytes: [UInt8]

    init(_ bytes: [UInt8], of group: Group) {
        self.group = ObjectIdentifier(group)
        self.bytes = bytes
    }
}

/// The keys that clients of one loop watch, and the clients whose keys were invalidated meanwhile.
///
/// While there is one, every group is observed; otherwise nothing is. Confined to the loop but for what the groups call.
final class Watchers: @unchecked Sendable {
    // Unchecked: observers use `state` alone, which has a lock; the rest is the loop's thread's.

    private struct State {
        var clients: [WatchedKey: Swift.Set<Int>] = [:]
        var touched: Swift.Set<Int> = []
    }

    /// The most bytes of keys that one client may watch, with so many more for each of them.
    static let limit = 256 << 10
    private static let overhead = 64

    private let keyspace: Keyspace
    private let state = Groundwork.Mutex(State())
    private var keys: [Int: (all: Swift.Set<WatchedKey>, byteCount: Int)] = [:]
    private var observations = GroupObservations()

    init(_ keyspace: Keyspace) {
        self.keyspace = keyspace
    }

    /// What a key takes of the limit.
    static func size(of key: WatchedKey) -> Int { key.bytes.count + overhead }

    /// Watches more keys for a client: an invalidation that comes after this is noted. Returns what those take that it did not
    /// watch before; nil when they are too many.
    func watch(_ keys: [WatchedKey], for client: Int) -> Int? {
        let new = Swift.Set(keys).subtracting(self.keys[client]?.all ?? [])
        let added = new.reduce(0) { $0 + Self.size(of: $1) }
        guard (self.keys[client]?.byteCount ?? 0) + added <= Self.limit else { return nil }
        self.keys[client, default: ([], 0)].all.formUnion(new)
        self.keys[client, default: ([], 0)].byteCount += added
        state.withLock { state in
            for key in new { state.clients[key, default: []].insert(client) }
        }
        observeIfWanted()
        return added
    }

    /// Whether a key that the client watches was invalidated.
    func isTouched(_ client: Int) -> Bool {
        keys[client] != nil && state.withLock { $0.touched.contains(client) }
    }

    /// Forgets what a client watches. Returns what that took.
    @discardableResult
    func forget(_ client: Int) -> Int {
        guard let watched = keys.removeValue(forKey: client) else { return 0 }
        state.withLock { state in
            state.touched.remove(client)
            for key in watched.all {
                state.clients[key]?.remove(client)
                if state.clients[key]?.isEmpty == true { state.clients[key] = nil }
            }
        }
        observeIfWanted()
        return watched.byteCount
    }

    private func observeIfWanted() {
        if keys.isEmpty {
            observations.end()
        } else if observations.isEmpty {
            observe()
        }
    }

    private func observe() {
        observations.follow(keyspace.groups) { group in
            group.addObserver { [self, unowned group] event, key in
                if event == .invalidated { touch(WatchedKey(key.bytes, of: group)) }
            }
        }
    }

    /// Takes note of which groups are served by now: a key of one that no longer is counts as changed.
    func followGroups() {
        guard !keys.isEmpty else { return }
        observe()
        let served = Swift.Set(keyspace.groups.map { ObjectIdentifier($0.group) })
        state.withLock { state in
            for (key, clients) in state.clients where !served.contains(key.group) {
                state.touched.formUnion(clients)
            }
        }
    }

    /// Any thread, outside every lock.
    private func touch(_ key: WatchedKey) {
        state.withLock { state in
            if let clients = state.clients[key] { state.touched.formUnion(clients) }
        }
    }
}
