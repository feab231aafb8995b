import CacheCore
import Groundwork
import RESP

/// A place in a reply that a load will fill. Confined to its connection's loop.
final class Hole {
    /// Writes what an outcome means in the reply. Called once for each hole of a reply, in their order.
    typealias Writer = (Outcome, inout ReplyBuffer, ProtocolVersion) -> Void

    /// Its name in the loop's ``HoleTable`` and towards the group.
    let token: UInt64
    let group: Group
    let ticket: Ticket
    /// The key, when an older value may stand in for the load's.
    private let standInKey: Key?
    /// When the client gets that, or an error, instead.
    let deadline: Instant
    let write: Writer

    /// How the load ended; nil until then.
    private(set) var outcome: Outcome?
    /// The reply that it is part of, from when the command that made it returned until it is filled or given up: the two
    /// refer to one another meanwhile.
    var reply: PendingReply?

    init(token: UInt64, group: Group, ticket: Ticket, standInKey: Key?, deadline: Instant, write: @escaping Writer) {
        self.token = token
        self.group = group
        self.ticket = ticket
        self.standInKey = standInKey
        self.deadline = deadline
        self.write = write
    }

    /// The older value that the group's rules allow in place of one that comes too late.
    func standIn(at now: Instant) -> Value? {
        standInKey.flatMap { group.standIn(for: $0.bytes.span.bytes, at: now) }
    }

    /// Takes the first outcome: the load's, or the deadline's.
    func fill(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        guard let reply else { return }
        self.reply = nil
        reply.holeWasFilled(with: outcome)
    }
}

/// The holes of one loop that wait for their outcome, by token.
///
/// A token is a place and that place's generation: an outcome that comes after its hole was taken out finds nothing, even
/// when the place has been given to another hole.
struct HoleTable {
    private struct Place {
        var hole: Hole?
        var generation: UInt32
    }

    private var places: ContiguousArray<Place> = []
    private var vacant: [UInt32] = []

    /// How many holes wait.
    var count: Int { places.count - vacant.count }

    /// The token that the next hole has to have.
    var nextToken: UInt64 {
        guard let index = vacant.last else { return UInt64(places.count) }
        return UInt64(places[Int(index)].generation) << 32 | UInt64(index)
    }

    /// Adds a hole that was made with ``nextToken``.
    mutating func insert(_ hole: Hole) {
        if let index = vacant.popLast() {
            places[Int(index)].hole = hole
        } else {
            places.append(Place(hole: hole, generation: 0))
        }
    }

    /// Takes a hole out; nil when it was before.
    mutating func remove(_ token: UInt64) -> Hole? {
        let index = Int(truncatingIfNeeded: token & 0xffff_ffff)
        guard index < places.count, places[index].generation == UInt32(truncatingIfNeeded: token >> 32),
            let hole = places[index].hole
        else { return nil }
        places[index].hole = nil
        places[index].generation &+= 1
        vacant.append(UInt32(truncatingIfNeeded: index))
        return hole
    }
}
