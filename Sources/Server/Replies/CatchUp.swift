import CacheCore
import EventLoop
import Groundwork

/// Keys of one request whose answers have to have seen a position of the database's log: a wait for it, and then a lookup for
/// each. Confined to its connection's loop.
final class CatchUp: @unchecked Sendable {
    // Unchecked: it travels through whoever knows of changes back to its loop, and is touched there only.

    let position: UInt64
    private let loop: EventLoop
    private let waits: Waits
    private let keyspace: Keyspace
    private var waiting: [(hole: Hole, key: Key)] = []
    /// When the wait for the position is given up.
    private var deadline = Instant(nanoseconds: .max)

    init(to position: UInt64, on loop: EventLoop, waits: Waits, keyspace: Keyspace) {
        self.position = position
        self.keyspace = keyspace
        self.loop = loop
        self.waits = waits
    }

    /// Has a hole wait for it, at most until `deadline`.
    func add(_ hole: Hole, key: Key, until deadline: Instant) {
        waiting.append((hole, key))
        self.deadline = min(self.deadline, deadline)
    }

    /// Begins to wait, when all were added.
    func start(_ changes: AppliedChanges) {
        guard !waiting.isEmpty else { return }
        changes.whenApplied(position, deadline) { [self] isApplied in
            // Never at once: the reply that the holes are part of may not be there yet.
            loop.submit { [self] in end(isApplied) }
        }
    }

    /// What has seen the position is in memory or on its way; or nobody knows, and it is loaded by a load that begins now.
    private func end(_ isApplied: Bool) {
        for (hole, key) in waiting where hole.reply != nil {
            guard let asked = hole.group else { continue }
            // Meanwhile another one may have taken its place.
            let group = keyspace.groups.successor(of: asked) ?? asked
            hole.moves(to: group)
            let waiter = Waiter(waits, token: hole.token, deadline: hole.deadline)
            let span = key.bytes.span.bytes
            if isApplied, group.isStoring {
                var nothing = OutputRawSpan()
                settle(hole, group.lookup(span, .whole, at: loop.now, waiter: waiter, into: &nothing))
            } else {
                settle(hole, group.loadAnew(span, waiter: waiter))
            }
        }
        waiting = []
    }

    private func settle(_ hole: Hole, _ lookup: consuming Lookup) {
        switch consume lookup {
        case .hit(let hit): waits.deliver(.success(hit.value), token: hole.token)
        case .refreshes(let hit, let flight):
            waits.deliver(.success(hit.value), token: hole.token)
            ClientConnection.load(flight, at: loop.now)
        case .follows(let ticket): hole.ticket = ticket
        case .leads(let flight, let ticket):
            hole.ticket = ticket
            ClientConnection.load(flight, at: loop.now)
        case .refused(let error): waits.deliver(.failure(error), token: hole.token)
        }
    }
}
