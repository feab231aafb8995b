import Singleflight

/// One who waits for a flight.
final class Caller<Value: Sendable>: @unchecked Sendable {
    // Unchecked: both are touched under the lock of the key's shard, and after the landing by the lander alone.
    var seat: Seat<Caller<Value>>?
    var continuation: CheckedContinuation<Value?, any Error>?
}

/// One run of the getter.
final class Load<Key: Hashable & Sendable, Value: Sendable>: @unchecked Sendable {
    let key: HashedKey<Key>
    let call: Call<Caller<Value>>
    let getter: LoadingCache<Key, Value>.Getter
    /// Whether it replaces an entry that is still served: then it is wanted though nobody waits.
    let isRefresh: Bool
    let deadline: Int64

    // Unchecked: these are touched under the lock of the key's shard.
    var isLanded = false
    var task: Task<Void, Never>?

    init(
        key: HashedKey<Key>, call: Call<Caller<Value>>, getter: @escaping LoadingCache<Key, Value>.Getter,
        isRefresh: Bool, deadline: Int64
    ) {
        self.key = key
        self.call = call
        self.getter = getter
        self.isRefresh = isRefresh
        self.deadline = deadline
    }
}

/// What deciding about a lookup needs to know.
struct LoadContext<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    let rules: Rules
    let now: Int64
    let timeout: Int64
    let getter: LoadingCache<Key, Value>.Getter
}
