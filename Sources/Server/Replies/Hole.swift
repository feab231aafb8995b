import CacheCore
import Groundwork
import RESP

/// A gap in a reply that a load will fill. Confined to its connection's loop.
final class Hole {
    /// Writes what a value means in a reply.
    typealias Writer = (Value, inout ReplyBuffer, ProtocolVersion) -> Void

    /// What a reply makes of the value, and so what has to be kept of it until the reply's turn comes.
    enum Use {
        /// Its text: the value is kept and sent from where it is.
        case text
        /// All its fields: the value is kept, and written when it is sent.
        case fields(Writer)
        /// What is written of it at once: a field, a count. The value is not kept.
        case part(Writer)
    }

    /// What is kept of the value.
    private enum Content {
        case value(Value)
        case part(ReplyPiece)
    }

    /// Its name in the loop's ``Waits`` and towards the group.
    let token: UInt64
    /// The group whose load it waits for; nil: it waits for something else.
    private(set) var group: Group?
    /// What it holds of the flight that it waits for; nil: it waits for none yet.
    var ticket: Ticket?
    /// The key, when an older value may stand in for the load's.
    private let standInKey: Key?
    /// When the client gets that, or an error, instead.
    let deadline: Instant
    private let use: Use

    /// Which of the request's arguments its key is, when an error has to name it.
    var argument: Int?
    /// The reply that it is part of, while it waits: the two refer to one another meanwhile.
    var reply: PendingReply?
    /// How often it stands in that.
    var occurrences = 0
    private var content: Content?

    init(token: UInt64, group: Group?, ticket: Ticket?, standInKey: Key?, deadline: Instant, use: Use) {
        self.token = token
        self.group = group
        self.ticket = ticket
        self.standInKey = standInKey
        self.deadline = deadline
        self.use = use
    }

    /// The older value that the group's rules allow in place of one that comes too late.
    func standIn(at now: Instant) -> Value? {
        standInKey.flatMap { group?.standIn(for: $0.bytes.span.bytes, at: now) }
    }

    /// Waits for another group's load instead: of the one that has its own group's name by now.
    func moves(to group: Group) {
        self.group = group
    }

    /// Takes the first outcome: the load's, or the deadline's.
    func fill(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): fill(value)
        case .failure(let error): reply?.fail(error, of: argument)
        }
    }

    private func fill(_ value: Value) {
        guard let reply else { return }
        let kept: Content
        switch use {
        case .text, .fields:
            let count = max(value.text.byteCount, value.fields.byteCount)
            guard reply.hasRoom(for: value, byteCount: count * occurrences) else { return }
            kept = .value(value)
        case .part(let write):
            var written = ReplyBuffer()
            write(value, &written, reply.version)
            let part = written.takeAll()
            guard reply.hasRoom(forPart: part.byteCount * occurrences) else { return }
            kept = .part(part)
        }
        content = kept
        self.reply = nil
        reply.holeWasFilled()
    }

    /// Gives up the value that it keeps.
    func takeValue() -> Value? {
        switch content {
        case .value(let value):
            content = nil
            return value
        case .part, nil: return nil
        }
    }

    /// Writes what it was filled with.
    func write(to reply: inout ReplyBuffer, _ version: ProtocolVersion) {
        switch content {
        case nil: break
        case .part(let part): reply.append(part)
        case .value(let value):
            switch use {
            case .text: reply.appendText(value, version)
            case .fields(let write), .part(let write): write(value, &reply, version)
            }
        }
    }
}
