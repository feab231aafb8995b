import CacheCore
import Groundwork
import RESP

/// Answers that have seen what the client wrote.
extension ClientConnection {
    /// The wait for the position that a request names as its last argument, behind AFTER; nil, with the error appended, when
    /// that is none.
    func catchUp(_ request: Request, _ reply: inout ReplyBuffer) -> CatchUp? {
        guard request.word(at: request.count - 2) == "after" else {
            reply.bytes.appendError(ErrorText.syntax)
            return nil
        }
        let text = request.string(at: request.count - 1)
        guard let position = server.changes.position(text) else {
            reply.bytes.appendError(
                "ERR '\(ErrorText.quoted(text, limit: 64))' is no position in PostgreSQL's log; give what "
                    + "pg_current_wal_insert_lsn() said after the commit, such as 16/B374D848")
            return nil
        }
        return CatchUp(to: position, on: loop, waits: waits, keyspace: keyspace)
    }

    /// Appends the text of a key, or a hole for it, from a state that has seen the position.
    func appendText(of key: RawSpan, _ catchUp: CatchUp, to reply: inout ReplyBuffer) {
        guard let location = locate(key, &reply) else { return }
        let key = location.key(in: key)
        appendText(of: key, KeyHash(key), at: location, catchUp, to: &reply)
    }

    /// The same for a key within its group.
    func appendText(
        of key: RawSpan, _ hash: KeyHash, at location: KeyLocation, _ catchUp: CatchUp, to reply: inout ReplyBuffer
    ) {
        if hasApplied(catchUp, key, location) { return appendText(of: key, hash, at: location, to: &reply) }
        leaveHole(key, location, catchUp, &reply, use: .text)
    }

    /// Appends all fields of a row, likewise.
    func appendFields(
        of key: RawSpan, _ catchUp: CatchUp, to reply: inout ReplyBuffer,
        write: @escaping (RowFields, inout ReplyBuffer, ProtocolVersion) -> Void
    ) {
        guard let location = locateRow(key, &reply) else { return }
        let inGroup = location.key(in: key)
        if hasApplied(catchUp, inGroup, location) {
            return appendFields(of: key, all: true, to: &reply, write: write)
        }
        leaveHole(
            inGroup, location, catchUp, &reply,
            use: .fields { value, reply, version in
                write(RowFields(value.fields), &reply, version)
            })
    }

    /// Whether what is in memory of the key, and on its way there, has seen the position.
    private func hasApplied(_ catchUp: CatchUp, _ key: RawSpan, _ location: KeyLocation) -> Bool {
        isTold(of: key, location) && server.changes.hasApplied(catchUp.position)
    }

    /// Whether somebody tells of changes of the key: not in every group, not under every spelling, and not while a group keeps
    /// nothing.
    private func isTold(of key: RawSpan, _ location: KeyLocation) -> Bool {
        let served = keyspace.groups[location.group]
        return served.hearsOfChanges && served.group.isStoring && location.isTold(of: key)
    }

    /// Leaves a hole that waits for the position and then for its load; where nobody tells of changes, for a load that begins
    /// now.
    private func leaveHole(
        _ key: RawSpan, _ location: KeyLocation, _ catchUp: CatchUp, _ reply: inout ReplyBuffer, use: Hole.Use
    ) {
        let served = keyspace.groups[location.group]
        guard isTold(of: key, location) else {
            _ = settle(served.group.loadAnew(key, waiter: waiter(at: location)), of: key, location, &reply, use: use)
            return
        }
        let reached = deadline(at: location)
        let hole = Hole(
            token: waits.nextToken, group: served.group, ticket: nil, standInKey: nil,
            deadline: reached.advanced(byNanoseconds: location.loadNanoseconds), use: use)
        waits.add(hole)
        reply.append(hole)
        catchUp.add(hole, key: Key(copying: key), until: reached)
    }
}
