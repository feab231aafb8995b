import RESP

/// The subcommands of `CLIENT` for client-side caching, with Redis' errors.
extension Client {
    static let tracking: Subcommand.Body = { request, client, reply in
        let word = request.word(at: 2)
        guard word == "on" || word == "off" else { return reply.bytes.appendError(ErrorText.syntax) }
        var options = TrackingOptions()
        if let error = options.read(request, from: 3, for: client) { return reply.bytes.appendError(error) }
        if word == "off" {
            keep(nil, client)
        } else {
            if let error = options.mistake(behind: client.tracking) { return reply.bytes.appendError(error) }
            guard client.mayKeep(options.byteCount) else { return reply.bytes.appendError(ErrorText.tooMuchKept) }
            keep(options.tracking(behind: client.tracking), client)
        }
        reply.bytes.appendSimpleString("OK")
    }

    /// Tracks so from here on; nil: not any more.
    static func keep(_ tracking: Tracking?, _ client: ClientConnection) {
        let before = client.tracking?.byteCount ?? 0
        client.tracking = tracking
        client.keeps((tracking?.byteCount ?? 0) - before)
        client.trackers.update(client)
    }

    static let caching: Subcommand.Body = { request, client, reply in
        let (word, mode) = (request.word(at: 2), client.tracking?.mode)
        guard mode == .optIn || mode == .optOut else {
            return reply.bytes.appendError(
                "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
                    + "enabled")
        }
        if word == "yes", mode == .optIn {
            client.tracking?.caching = true
        } else if word == "no", mode == .optOut {
            client.tracking?.caching = false
        } else if word == "yes" {
            return reply.bytes.appendError(
                "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
        } else if word == "no" {
            return reply.bytes.appendError(
                "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
        } else {
            return reply.bytes.appendError(ErrorText.syntax)
        }
        reply.bytes.appendSimpleString("OK")
    }

    static let trackingInfo: Subcommand.Body = { _, client, reply in
        let flags = client.tracking?.flags ?? ["off"]
        let prefixes = client.tracking?.prefixes ?? []
        reply.bytes.appendMapHeader(3, client.version)
        reply.bytes.appendBulk("flags")
        reply.bytes.appendSetHeader(flags.count, client.version)
        for flag in flags { reply.bytes.appendBulk(flag) }
        reply.bytes.appendBulk("redirect")
        reply.bytes.appendInteger(client.tracking.map { $0.redirect ?? 0 } ?? -1)
        reply.bytes.appendBulk("prefixes")
        reply.bytes.appendSetHeader(prefixes.count, client.version)
        for prefix in prefixes { reply.bytes.appendBulk(prefix.span.bytes) }
    }
}

/// What a client asks for behind `CLIENT TRACKING ON`.
private struct TrackingOptions {
    var isBroadcast = false
    var isOptIn = false
    var isOptOut = false
    var skipsOwn = false
    var redirect: Int?
    var prefixes: [[UInt8]] = []

    var byteCount: Int { Tracking(mode: .broadcast(prefixes)).byteCount }

    /// Reads the options of a request; returns why that can't be done.
    mutating func read(_ request: Request, from first: Int, for client: ClientConnection) -> String? {
        var index = first
        while index < request.count {
            let option = request.word(at: index)
            let hasValue = index + 1 < request.count
            if option == "bcast" {
                isBroadcast = true
            } else if option == "optin" {
                isOptIn = true
            } else if option == "optout" {
                isOptOut = true
            } else if option == "noloop" {
                skipsOwn = true
            } else if option == "redirect", hasValue {
                index += 1
                guard redirect == nil else { return "ERR A client can only redirect to a single other client" }
                guard let id = request.integer(at: index) else { return ErrorText.notAnInteger }
                guard client.server.directory.record(of: id) != nil else {
                    return "ERR The client ID you want redirect to does not exist"
                }
                redirect = id
            } else if option == "prefix", hasValue {
                index += 1
                prefixes.append(request[index].withUnsafeBytes { Array($0) })
            } else {
                return ErrorText.syntax
            }
            index += 1
        }
        return nil
    }

    /// What does not fit together, or not to how the client tracks by now.
    func mistake(behind present: Tracking?) -> String? {
        if !prefixes.isEmpty, !isBroadcast { return "ERR PREFIX option requires BCAST mode to be enabled" }
        if let present, present.isBroadcast != isBroadcast {
            return
                "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it "
                + "with a different mode."
        }
        if isBroadcast, isOptIn || isOptOut { return "ERR OPTIN and OPTOUT are not compatible with BCAST" }
        if isOptIn, isOptOut { return "ERR You can't specify both OPTIN mode and OPTOUT mode" }
        if isOptIn && present?.mode == .optOut || isOptOut && present?.mode == .optIn {
            return
                "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it "
                + "with a different mode."
        }
        guard (present?.byteCount ?? 0) + byteCount <= Tracking.limit else {
            return "ERR a client's prefixes may take at most \(Tracking.limit) bytes"
        }
        return overlap(with: present?.prefixes ?? [])
    }

    /// Two prefixes of one client must not overlap: it would be told twice. O(n log n): those that begin alike are neighbours.
    private func overlap(with present: [[UInt8]]) -> String? {
        let own = prefixes.map { (bytes: $0, isOwn: true) }
        let others = present.filter { !prefixes.contains($0) }.map { (bytes: $0, isOwn: false) }
        let all = (own + others).sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for (one, other) in zip(all, all.dropFirst()) where other.bytes.starts(with: one.bytes) {
            let (asked, against) = one.isOwn ? (one, other) : (other, one)
            let kind = against.isOwn ? "another provided" : "an existing"
            return "ERR Prefix '\(text(asked.bytes))' overlaps with \(kind) prefix '\(text(against.bytes))'. "
                + "Prefixes for a single client must not overlap."
        }
        return nil
    }

    private func text(_ bytes: [UInt8]) -> String { ErrorText.quoted(String(decoding: bytes, as: UTF8.self)) }

    /// How the client tracks by this; prefixes are added to those that it has.
    func tracking(behind present: Tracking?) -> Tracking {
        var tracking = Tracking(mode: .all)
        if isBroadcast {
            let asked = prefixes.isEmpty ? [[]] : prefixes
            let new = asked.filter { present?.prefixes.contains($0) != true }
            tracking.mode = .broadcast((present?.prefixes ?? []) + new)
        } else if isOptIn {
            tracking.mode = .optIn
        } else if isOptOut {
            tracking.mode = .optOut
        }
        tracking.skipsOwn = skipsOwn
        tracking.redirect = redirect
        return tracking
    }
}
