import RESP

/// `CLIENT ...`: what a connection says about itself, and who else is connected.
enum Client: Command {
    static let name = "client"
    static let arity = -2
    static let topic = CommandTopic.connection
    static let summary = "Introduces this connection, or tells about connections."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let run = subcommands[request.word(at: 1)] else {
            let asked = ErrorText.quoted(request.string(at: 1))
            reply.bytes.appendError("ERR unknown subcommand '\(asked)'. Try CLIENT HELP.")
            return
        }
        run(request, client, &reply)
    }

    /// Whether Redis takes this for a name: no spaces, no line ends, nothing that is not printable ASCII.
    static func isName(_ name: RawSpan) -> Bool {
        name.withUnsafeBytes { $0.allSatisfy { (0x21...0x7e).contains($0) } && $0.count <= 256 }
    }

    private typealias Subcommand = @Sendable (Request, ClientConnection, inout ReplyBuffer) -> Void

    private static let subcommands: [CommandWord: Subcommand] = [
        "id": { _, client, reply in reply.bytes.appendInteger(client.id) },
        "getname": getName,
        "setname": setName,
        "setinfo": setInfo,
        "info": { _, client, reply in
            let line = client.server.directory.record(of: client.id).map { Client.line($0, client) } ?? ""
            reply.bytes.appendVerbatim(line + "\n", client.version)
        },
        "list": { _, client, reply in
            let lines = client.server.directory.all.map { Client.line($0, client) + "\n" }
            reply.bytes.appendVerbatim(lines.joined(), client.version)
        },
        // Promises of Redis that hold here whatever is asked: nothing evicts or touches by client.
        "no-evict": acknowledge,
        "no-touch": acknowledge,
        "capa": acknowledge,
        "tracking": { _, _, reply in reply.bytes.appendError(ErrorText.notInThisVersion("client tracking")) },
        "help": { _, _, reply in
            let lines = [
                "CLIENT ID|GETNAME|INFO|LIST: who this connection is, or all connections are.",
                "CLIENT SETNAME name, CLIENT SETINFO LIB-NAME|LIB-VER text: introduce this connection.",
            ]
            reply.bytes.appendArrayHeader(lines.count)
            for line in lines { reply.bytes.appendBulk(line) }
        },
    ]

    private static let acknowledge: Subcommand = { _, _, reply in reply.bytes.appendSimpleString("OK") }

    private static let getName: Subcommand = { _, client, reply in
        let name = client.server.directory.record(of: client.id)?.name ?? ""
        if name.isEmpty { reply.bytes.appendNull(client.version) } else { reply.bytes.appendBulk(name) }
    }

    private static let setName: Subcommand = { request, client, reply in
        guard request.count == 3 else {
            reply.bytes.appendError(ErrorText.wrongNumberOfArguments("client|setname"))
            return
        }
        guard isName(request[2]) else {
            reply.bytes.appendError("ERR Client names cannot contain spaces, newlines or special characters.")
            return
        }
        let name = request.string(at: 2)
        client.server.directory.update(client.id) { $0.name = name }
        reply.bytes.appendSimpleString("OK")
    }

    private static let setInfo: Subcommand = { request, client, reply in
        guard request.count == 4 else {
            reply.bytes.appendError(ErrorText.wrongNumberOfArguments("client|setinfo"))
            return
        }
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
