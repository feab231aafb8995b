import CacheCore
import EventLoop
import Groundwork
import RESP

/// From keys to replies: what the commands that ask groups share.
extension ClientConnection {
    /// The time of this round.
    var now: Instant { loop.now }

    /// Why a key names nothing; nil: it names something.
    func errorText(of key: RawSpan) -> String? {
        do throws(KeyError) {
            _ = try keyspace.locate(key, rewritten)
            return nil
        } catch {
            return keyspace.text(error, key: key)
        }
    }

    /// Finds the group of a key, or appends the error that says why there is none.
    func locate(_ key: RawSpan, _ reply: inout ReplyBuffer) -> KeyLocation? {
        do throws(KeyError) {
            return try keyspace.locate(key, rewritten)
        } catch {
            reply.bytes.appendError(keyspace.text(error, key: key))
            return nil
        }
    }

    /// The same for a key of a group that has rows.
    func locateRow(_ key: RawSpan, _ reply: inout ReplyBuffer) -> KeyLocation? {
        guard let location = locate(key, &reply) else { return nil }
        guard keyspace.groups[location.group].shape == .row else {
            reply.bytes.appendError(ErrorText.wrongType)
            return nil
        }
        return location
    }

    /// Appends a key's text as a bulk string, or the null, or the error, or a hole for them.
    func appendText(of key: RawSpan, to reply: inout ReplyBuffer) {
        guard let location = locate(key, &reply) else { return }
        let key = location.key(in: key)
        appendText(of: key, KeyHash(key), at: location, to: &reply)
    }

    /// The same for a key within its group.
    @inline(__always)
    func appendText(of key: RawSpan, _ hash: KeyHash, at location: KeyLocation, to reply: inout ReplyBuffer) {
        var decision: Lookup?
        _ = reply.bytes.appendBulk(capacity: Group.copyLimit) { output -> Bool? in
            let lookup = self.lookup(key, hash, at: location, .text, into: &output)
            if lookup.isDone { return true }
            let isCopied = lookup.isCopied
            decision = consume lookup
            return isCopied ? true : nil
        }
        // Done in most cases; a copied hit may have brought a refresh.
        guard let decision else { return }
        if let hit = settle(decision, of: key, location, &reply, use: .text) {
            Self.write(hit, to: &reply, version)
        }
    }

    /// Loads a key now, and appends its text, or the error, or a hole for them.
    func appendRefreshedText(of key: RawSpan, to reply: inout ReplyBuffer) {
        guard let location = locate(key, &reply) else { return }
        let key = location.key(in: key)
        let lookup = keyspace.groups[location.group].group.refresh(key, waiter: waiter(at: location))
        if let hit = settle(lookup, of: key, location, &reply, use: .text) {
            Self.write(hit, to: &reply, version)
        }
    }

    private static func write(_ hit: Hit, to reply: inout ReplyBuffer, _ version: ProtocolVersion) {
        switch hit {
        case .copied: break
        case .negative: reply.bytes.appendNull(version)
        case .large(let value): reply.appendBulk(value)
        }
    }

    /// Appends what `write` makes of a key's fields, or the error, or a hole for them. Whether that is all of them decides what
    /// is kept of a row that is loaded.
    func appendFields(
        of key: RawSpan, all: Bool = false, to reply: inout ReplyBuffer,
        write: @escaping (RowFields, inout ReplyBuffer, ProtocolVersion) -> Void
    ) {
        guard let location = locateRow(key, &reply) else { return }
        var count = 0
        let key = location.key(in: key)
        let writer: Hole.Writer = { value, reply, version in write(RowFields(value.fields), &reply, version) }
        let hit = settle(
            lookup(key, at: location, .fields, count: &count), of: key, location, &reply,
            use: all ? .fields(writer) : .part(writer))
        switch hit {
        case nil: break
        case .copied?:
            write(RowFields(UnsafeRawBufferPointer(rebasing: buffers.scratch[..<count]).bytes), &reply, version)
        case .negative?: write(RowFields(RawSpan()), &reply, version)
        case .large(let value)?: write(RowFields(value.fields), &reply, version)
        }
    }

    /// Appends what `write` makes of a key's text, or the error, or a hole for them; nil: there is no such row. With the form
    /// `.none` the text is empty.
    func appendAnswer(
        of key: RawSpan, _ form: Form, to reply: inout ReplyBuffer,
        write: @escaping (RawSpan?, inout ReplyBuffer, ProtocolVersion) -> Void
    ) {
        guard let location = locate(key, &reply) else { return }
        var count = 0
        let key = location.key(in: key)
        let writer: Hole.Writer = { value, reply, version in
            write(value.isMissing ? nil : value.text, &reply, version)
        }
        let hit = settle(
            lookup(key, at: location, form, count: &count), of: key, location, &reply, use: .part(writer))
        switch hit {
        case nil: break
        case .copied?: write(UnsafeRawBufferPointer(rebasing: buffers.scratch[..<count]).bytes, &reply, version)
        case .negative?: write(nil, &reply, version)
        case .large(let value)?: write(value.text, &reply, version)
        }
    }

    /// Asks a group for a key within it. What a hit brings is in the first `count` bytes of the scratch buffer.
    ///
    /// Not to be inlined: the optimizer of Swift 6.3.1 fails on the end of the output's life in a larger function.
    @inline(never)
    func lookup(_ key: RawSpan, at location: KeyLocation, _ form: Form, count: inout Int) -> Lookup {
        var output = OutputRawSpan(buffer: buffers.scratch, initializedCount: 0)
        let lookup = lookup(key, at: location, form, into: &output)
        count = output.finalize(for: buffers.scratch)
        return lookup
    }

    @inline(never)
    private func lookup(_ key: RawSpan, at location: KeyLocation, _ form: Form, into output: inout OutputRawSpan)
        -> Lookup
    {
        lookup(key, KeyHash(key), at: location, form, into: &output)
    }

    /// Asks a group, in one step that decides everything.
    @inline(__always)
    func lookup(
        _ key: RawSpan, _ hash: KeyHash, at location: KeyLocation, _ form: Form, into output: inout OutputRawSpan
    ) -> Lookup {
        location.lookup(key, hash, form, at: now, waiter: waiter(at: location), into: &output)
    }

    /// This client, waiting for a load as long as the group allows.
    func waiter(at location: KeyLocation) -> Waiter {
        Waiter(waits, token: waits.nextToken, deadline: deadline(at: location))
    }

    /// When a client that asks now has waited as long as the group allows.
    func deadline(at location: KeyLocation) -> Instant { now.advanced(byNanoseconds: location.loadNanoseconds) }

    /// Gives back a hit on `key` of the group; for a miss leaves a hole for the `use` that the reply makes of it, and starts the
    /// load when that falls to this client.
    func settle(
        _ lookup: consuming Lookup, of key: RawSpan, _ location: KeyLocation, _ reply: inout ReplyBuffer,
        use: Hole.Use
    ) -> Hit? {
        switch consume lookup {
        case .hit(let hit): return hit
        case .refreshes(let hit, let flight):
            Self.load(flight, at: now)
            return hit
        case .follows(let ticket):
            leaveHole(ticket, key, location, &reply, use)
        case .leads(let flight, let ticket):
            leaveHole(ticket, key, location, &reply, use)
            Self.load(flight, at: now)
        case .refused(let error): reply.append(error)
        }
        return nil
    }

    private func leaveHole(
        _ ticket: Ticket, _ key: RawSpan, _ location: KeyLocation, _ reply: inout ReplyBuffer, _ use: Hole.Use
    ) {
        let group = location.countedGroup
        let hole = Hole(
            token: waits.nextToken, group: group, ticket: ticket,
            standInKey: group.allowsStandIn ? Key(copying: key) : nil,
            deadline: deadline(at: location), use: use)
        waits.add(hole)
        reply.append(hole)
    }

    /// Keys that cannot be of the group are refused here and not at each lookup: what is in memory was loaded once.
    static func load(_ flight: consuming Flight, at now: Instant) {
        let group = flight.group
        if let parts = group.keyParts, !fits(flight.key, parts) {
            flight.fail(LoadError(.badKey, Keyspace.wrongParts(of: group, expected: parts)))
        } else {
            group.load(flight, at: now)
        }
    }

    /// The last part may hold any byte, so there can be too few parts but not too many.
    private static func fits(_ key: Key, _ parts: Int) -> Bool {
        switch parts {
        case 0: key.bytes.isEmpty
        case 1: true
        default: key.bytes.count { $0 == UInt8(ascii: ":") } + 1 >= parts
        }
    }
}

extension Lookup {
    /// Whether the answer is in the output already, and that is all.
    fileprivate var isDone: Bool {
        switch self {
        case .hit(.copied): true
        case .hit: false
        case .refreshes: false
        case .follows: false
        case .leads: false
        case .refused: false
        }
    }

    /// Whether the answer is in the output already.
    fileprivate var isCopied: Bool {
        switch self {
        case .hit(.copied): true
        case .hit: false
        case .refreshes(.copied, _): true
        case .refreshes: false
        case .follows: false
        case .leads: false
        case .refused: false
        }
    }
}
