import RESP

/// What a connection says about itself, and who else is connected.
enum Client: ContainerCommand {
    static let name = "client"
    static let topic = CommandTopic.connection
    static let summary = "Introduces this connection, or tells about connections."

    static let subcommands = [
        // Promises of Redis that hold here whatever is asked: nothing evicts or touches by client.
        Subcommand(
            "caching", "YES|NO",
            "`OK`; whether what the next request, or transaction, reads is tracked, in the mode OPTIN or OPTOUT.",
            caching),
        Subcommand("capa", "capability [capability ...]", "`OK`, without effect.", acknowledge),
        Subcommand("getname", "The connection's name, or nil.", getName),
        Subcommand(
            "getredir",
            "The connection that is told of changes in this one's place; 0: none, -1: nobody is."
        ) { _, client, reply in
            reply.bytes.appendInteger(client.tracking.map { $0.redirect ?? 0 } ?? -1)
        },
        Subcommand("id", "The connection's number.") { _, client, reply in reply.bytes.appendInteger(client.id) },
        Subcommand("info", "A line about this connection, with Redis' fields.") { _, client, reply in
            let lines = client.server.directory.record(of: client.id).map { [$0] } ?? []
            append(lines, client, &reply)
        },
        Subcommand(
            "kill", "[address] [ID client-id] [TYPE type] [USER user] [ADDR address] [LADDR address] [SKIPME yes|no]",
            "How many connections are closed, those that all filters let through; this one only with `SKIPME no`. With an "
                + "address alone: `OK`. May be kept to `admin_users`.", isForAdministrators: true, kill),
        Subcommand(
            "list", "[TYPE NORMAL|MASTER|REPLICA|PUBSUB] [ID client-id [client-id ...]]",
            "A line about each connection, or those that are named, with Redis' fields.", list),
        Subcommand("no-evict", "ON|OFF", "`OK`, without effect.", toggle),
        Subcommand("no-touch", "ON|OFF", "`OK`, without effect.", toggle),
        Subcommand("setinfo", "LIB-NAME|LIB-VER text", "`OK`; what library the client uses.", setInfo),
        Subcommand("setname", "name", "`OK`; gives the connection a name.", setName),
        Subcommand(
            "tracking", "ON|OFF [REDIRECT client-id] [PREFIX prefix] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
            "`OK`; the connection is told when what it read changes, or with `BCAST` when any key does. `PREFIX` may be there "
                + "several times.", tracking),
        Subcommand(
            "trackinginfo", "How the connection tracks: a map of flags, redirection and prefixes.", trackingInfo),
    ]

    /// Whether Redis takes this for a name: no spaces, no line ends, nothing that is not printable ASCII.
    static func isName(_ name: RawSpan) -> Bool {
        name.withUnsafeBytes { $0.allSatisfy { (0x21...0x7e).contains($0) } && $0.count <= 256 }
    }

    private static let acknowledge: Subcommand.Body = { _, _, reply in reply.bytes.appendSimpleString("OK") }

    private static let toggle: Subcommand.Body = { request, _, reply in
        let word = request.word(at: 2)
        if word == "on" || word == "off" {
            reply.bytes.appendSimpleString("OK")
        } else {
            reply.bytes.appendError(ErrorText.syntax)
        }
    }

    private static let getName: Subcommand.Body = { _, client, reply in
        let name = client.server.directory.record(of: client.id)?.name ?? ""
        if name.isEmpty { reply.bytes.appendNull(client.version) } else { reply.bytes.appendBulk(name) }
    }

    private static let setName: Subcommand.Body = { request, client, reply in
        guard isName(request[2]) else {
            reply.bytes.appendError("ERR Client names cannot contain spaces, newlines or special characters.")
            return
        }
        let name = request.string(at: 2)
        client.server.directory.update(client.id) { $0.name = name }
        reply.bytes.appendSimpleString("OK")
    }

    private static let setInfo: Subcommand.Body = { request, client, reply in
        guard isName(request[3]) else {
            reply.bytes.appendError("ERR \(ErrorText.quoted(request.string(at: 2))) cannot contain spaces or newlines.")
            return
        }
        let text = request.string(at: 3)
        let attribute = request.word(at: 2)
        if attribute == "lib-name" {
            client.server.directory.update(client.id) { $0.library = text }
        } else if attribute == "lib-ver" {
            client.server.directory.update(client.id) { $0.libraryVersion = text }
        } else {
            reply.bytes.appendError("ERR Unrecognized option '\(ErrorText.quoted(request.string(at: 2)))'")
            return
        }
        reply.bytes.appendSimpleString("OK")
    }

    // MARK: Who is connected

    private static let list: Subcommand.Body = { request, client, reply in
        let directory = client.server.directory
        guard request.count > 2 else { return append(directory.all, client, &reply) }
        let option = request.word(at: 2)
        if option == "type", request.count == 4 {
            guard let type = ClientType(request.string(at: 3)) else {
                return reply.bytes.appendError(unknownType(request.string(at: 3)))
            }
            append(directory.all.filter { type.contains($0, client) }, client, &reply)
        } else if option == "id", request.count > 3 {
            var records: [ClientRecord] = []
            for index in 3..<request.count {
                guard let id = request.integer(at: index) else {
                    return reply.bytes.appendError("ERR Invalid client ID")
                }
                if let record = directory.record(of: id) { records.append(record) }
            }
            append(records, client, &reply)
        } else {
            reply.bytes.appendError(ErrorText.syntax)
        }
    }

    /// Every client stands at the one socket, under Redis' name for that. What fields are told apart by is not in it.
    private static func address(_ client: ClientConnection) -> String {
        String(client.server.settings.socket.map { $0 == " " || $0 == "=" ? "?" : $0 }) + ":0"
    }

    private static func append(_ records: [ClientRecord], _ client: ClientConnection, _ reply: inout ReplyBuffer) {
        let address = address(client)
        let lines = records.map { record in
            record.line(
                address: address, subscriptions: client.server.subscriptions.counts(of: record.id), at: client.now)
                + "\n"
        }
        reply.bytes.appendVerbatim(lines.joined(), client.version)
    }

    // MARK: Closing

    /// What connections have to be for `CLIENT KILL`.
    private struct Filter {
        var id: Int?
        var type: ClientType?
        var isOnlyOthers = true
        /// Something was asked for that none is.
        var isOfNone = false
    }

    private static let kill: Subcommand.Body = { request, client, reply in
        guard request.count > 2 else {
            return reply.bytes.appendError(ErrorText.wrongNumberOfArguments("client|kill"))
        }
        guard request.count > 3 else {
            // The old form, for the one connection of an address, which here is everyone's.
            return reply.bytes.appendError("ERR No such client; all have one address here: use CLIENT KILL ID")
        }
        var filter = Filter()
        var index = 2
        while index < request.count {
            guard index + 1 < request.count else { return reply.bytes.appendError(ErrorText.syntax) }
            if let error = add(request, index, to: &filter, client) { return reply.bytes.appendError(error) }
            index += 2
        }
        let killed = client.server.directory.all.filter { record in
            !filter.isOfNone && (filter.id ?? record.id) == record.id
                && !(filter.isOnlyOthers && record.id == client.id)
                && filter.type?.contains(record, client) ?? true
        }
        for record in killed {
            // This one gets its reply first.
            if record.id == client.id { client.phase = .finishing } else { record.close() }
        }
        reply.bytes.appendInteger(killed.count)
    }

    /// Adds what the request has at `index`; an error when that is nothing.
    private static func add(
        _ request: Request, _ index: Int, to filter: inout Filter, _ client: ClientConnection
    ) -> String? {
        let (option, value) = (request.word(at: index), request.string(at: index + 1))
        if option == "id" {
            guard let id = request.integer(at: index + 1), id > 0 else {
                return "ERR client-id should be greater than 0"
            }
            filter.id = id
        } else if option == "type" {
            guard let type = ClientType(value) else { return unknownType(value) }
            filter.type = type
        } else if option == "user" {
            guard value == "default" else { return "ERR No such user '\(ErrorText.quoted(value))'" }
        } else if option == "addr" || option == "laddr" {
            if value != address(client) { filter.isOfNone = true }
        } else if option == "skipme" {
            let word = request.word(at: index + 1)
            guard word == "yes" || word == "no" else { return ErrorText.syntax }
            filter.isOnlyOthers = word == "yes"
        } else {
            return ErrorText.syntax
        }
        return nil
    }

    private static func unknownType(_ type: String) -> String {
        "ERR Unknown client type '\(ErrorText.quoted(type))'"
    }
}

/// Redis' kinds of clients.
private enum ClientType {
    case normal
    case pubsub
    /// A master or a replica, which none is.
    case replication

    init?(_ name: String) {
        switch name.lowercased() {
        case "normal": self = .normal
        case "pubsub": self = .pubsub
        case "master", "replica", "slave": self = .replication
        default: return nil
        }
    }

    func contains(_ record: ClientRecord, _ client: ClientConnection) -> Bool {
        let subscribed = client.server.subscriptions.counts(of: record.id)
        let isSubscriber = subscribed.channels + subscribed.patterns > 0
        return switch self {
        case .normal: !isSubscriber
        case .pubsub: isSubscriber
        case .replication: false
        }
    }
}
