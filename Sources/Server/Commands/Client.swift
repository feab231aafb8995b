import RESP

/// What a connection says about itself, and who else is connected.
enum Client: ContainerCommand {
    static let name = "client"
    static let topic = CommandTopic.connection
    static let summary = "Introduces this connection, or tells about connections."

    static let subcommands = [
        // Promises of Redis that hold here whatever is asked: nothing evicts or touches by client.
        Subcommand("capa", "capability [capability ...]", "`OK`, without effect.", acknowledge),
        Subcommand("getname", "The connection's name, or nil.", getName),
        Subcommand("id", "The connection's number.") { _, client, reply in reply.bytes.appendInteger(client.id) },
        Subcommand("info", "A line about this connection, with Redis' fields.") { _, client, reply in
            let line = client.server.directory.record(of: client.id).map { Client.line($0, client) } ?? ""
            reply.bytes.appendVerbatim(line + "\n", client.version)
        },
        Subcommand("list", "A line about each connection, with Redis' fields.") { _, client, reply in
            let lines = client.server.directory.all.map { Client.line($0, client) + "\n" }
            reply.bytes.appendVerbatim(lines.joined(), client.version)
        },
        Subcommand("no-evict", "ON|OFF", "`OK`, without effect.", acknowledge),
        Subcommand("no-touch", "ON|OFF", "`OK`, without effect.", acknowledge),
        Subcommand("setinfo", "LIB-NAME|LIB-VER text", "`OK`; what library the client uses.", setInfo),
        Subcommand("setname", "name", "`OK`; gives the connection a name.", setName),
    ]

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        if request.word(at: 1) == "tracking" {
            reply.bytes.appendError(ErrorText.notInThisVersion("client tracking"))
        } else {
            dispatch(request, for: client, reply: &reply)
        }
    }

    /// Whether Redis takes this for a name: no spaces, no line ends, nothing that is not printable ASCII.
    static func isName(_ name: RawSpan) -> Bool {
        name.withUnsafeBytes { $0.allSatisfy { (0x21...0x7e).contains($0) } && $0.count <= 256 }
    }

    private static let acknowledge: Subcommand.Body = { _, _, reply in reply.bytes.appendSimpleString("OK") }

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

    private static func line(_ record: ClientRecord, _ client: ClientConnection) -> String {
        record.line(path: client.server.settings.socket, at: client.now)
    }
}
