import CacheCore
import Groundwork

/// What the clients of one loop have read, and so who is told when it changes.
///
/// A client is noted before the value is read, and told after the value left memory, or was handed out without being kept. So
/// no client keeps what is not kept here. Any thread.
final class TrackingTable: Sendable {
    private struct State: Sendable {
        var groups: [ObjectIdentifier: Readings] = [:]
        var byteCount = 0
        /// Whether some client asked for prefixes.
        var broadcasts = false
        var random = SplitMix64(seed: .random(in: .min ... .max))

        /// Changes what is known of one group.
        mutating func change<Result>(_ group: ObjectIdentifier, _ body: (inout Readings) -> Result) -> Result {
            let before = groups[group]?.byteCount ?? 0
            defer { byteCount += (groups[group]?.byteCount ?? 0) - before }
            return body(&groups[group, default: Readings()])
        }
    }

    private let limit: Int
    private let state = Groundwork.Mutex(State())
    /// What the loop still has to tell its clients.
    let mailbox = NoticeMailbox(limit: 512 << 10)

    /// The client on whose behalf the current thread invalidates.
    @TaskLocal static var cause: Int?

    /// When a group is flushed, at most so many keys are told one by one.
    private static let listed = 1024

    /// A table that takes about `limit` bytes at most.
    init(limit: Int) {
        self.limit = limit
    }

    /// The number of keys, and of pairs of a key and a client. O(groups).
    var figures: (keys: Int, readings: Int) {
        state.withLock { state in
            state.groups.values.reduce(into: (0, 0)) { sum, readings in
                sum.0 += readings.count
                sum.1 += readings.readingCount
            }
        }
    }

    /// Says whether some client asked for prefixes.
    func setBroadcasts(_ broadcasts: Bool) {
        state.withLock { $0.broadcasts = broadcasts }
    }

    /// Notes that a client is about to read a key. When there is no room, other keys are told as changed: no client keeps what
    /// it would not be told of.
    func note(_ reading: Readings.Reading, of key: Key, in group: Group) {
        post { state in
            state.change(ObjectIdentifier(group)) { $0.insert(reading, of: key) }
            guard state.byteCount > limit else { return [] }
            var evicted: [Readings.Reading] = []
            while state.byteCount > limit { evicted += Self.evict(from: &state) }
            return Self.notices(of: evicted, by: nil)
        }
    }

    /// Removes a key of the group that takes the most bytes.
    private static func evict(from state: inout State) -> Swift.Set<Readings.Reading> {
        guard let group = state.groups.max(by: { $0.value.byteCount < $1.value.byteCount })?.key else { return [] }
        var random = state.random
        defer { state.random = random }
        return state.change(group) { $0.removeAny(&random) }
    }

    /// Forgets all that was read.
    func forgetAll() {
        let old = state.withLock { state in
            let old = state.groups
            state.groups = [:]
            state.byteCount = 0
            return old
        }
        _ = consume old
    }

    /// To be called, with no lock held, when the value of a key is no longer in memory or is another one. When several threads
    /// do so at once, none returns before the notice is in the mailbox.
    func changed(_ key: Key, of group: Group) {
        let cause = Self.cause
        post { state in
            let readings = state.change(ObjectIdentifier(group)) { $0.remove(key) }
            return Self.notices(of: readings, by: cause)
                + (state.broadcasts ? [.broadcast(group.wireKey(key), by: cause)] : [])
        }
    }

    /// The same for all keys of a group.
    func allChanged(of group: Group) {
        post { state in
            let old = state.groups.removeValue(forKey: ObjectIdentifier(group)) ?? Readings()
            state.byteCount -= old.byteCount
            let notices =
                old.readingCount <= Self.listed
                ? Self.notices(of: old.all, by: nil) : old.clients.map { .everything(for: $0) }
            return notices + (state.broadcasts ? [.broadcastGroup(Array(group.name.utf8))] : [])
        }
    }

    /// Posts the notices that `take` returns, in one step with what it removes: who finds a reading gone finds its notice in
    /// the mailbox.
    private func post(_ take: (inout State) -> [Notice]) {
        let wakes = state.withLock { state in take(&state).compactMap(mailbox.add) }
        for wake in wakes { wake() }
    }

    private static func notices(of readings: some Sequence<Readings.Reading>, by cause: Int?) -> [Notice] {
        Dictionary(grouping: readings, by: \.client).map { client, readings in
            .keys(readings.map(\.text), for: client, by: cause)
        }
    }
}
