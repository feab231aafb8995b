import Groundwork
import Logging
import RESP

/// It calls itself redis in a version whose features clients may take for granted, and no later one: 7.4 is what redis-py
/// wants for client-side caching.
enum Hello: Command {
    static let name = "hello"
    static let syntax = "[protover [AUTH user password] [SETNAME name]]"
    static let needsNoPassword = true
    static let topic = CommandTopic.connection
    static let summary = "What the server is, in the version of the protocol that is asked for: 2 or 3."

    /// The version of Redis whose answers clients can expect.
    static let redisVersion = "7.4.0"

    private struct Options {
        var version: ProtocolVersion
        var password: (user: String, password: String)?
        var name: String?
    }

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard let options = options(request, for: client, &reply) else { return }
        if let (user, password) = options.password, let error = Auth.check(user: user, password, for: client) {
            reply.bytes.appendError(error)
            return
        }
        guard client.isAuthenticated else {
            reply.bytes.appendError(
                "NOAUTH HELLO must be called with the client already authenticated, "
                    + "otherwise the HELLO <proto> AUTH <user> <pass> option can be used")
            return
        }
        client.version = options.version
        client.server.directory.update(client.id) { record in
            record.version = number(options.version)
            if let name = options.name { record.name = name }
        }
        describe(client, to: &reply)
    }

    private static func options(
        _ request: Request, for client: ClientConnection, _ reply: inout ReplyBuffer
    ) -> Options? {
        var options = Options(version: client.version)
        guard request.count > 1 else { return options }
        switch request.integer(at: 1) {
        case 2?: options.version = .resp2
        case 3?: options.version = .resp3
        case nil:
            reply.bytes.appendError("ERR Protocol version is not an integer or out of range")
            return nil
        case _?:
            reply.bytes.appendError("NOPROTO unsupported protocol version")
            return nil
        }
        var index = 2
        while index < request.count {
            let option = request.word(at: index)
            if option == "auth", index + 2 < request.count {
                options.password = (request.string(at: index + 1), request.string(at: index + 2))
                index += 3
            } else if option == "setname", index + 1 < request.count, Client.isName(request[index + 1]) {
                options.name = request.string(at: index + 1)
                index += 2
            } else {
                reply.bytes.appendError(
                    "ERR Syntax error in HELLO option '\(ErrorText.quoted(request.string(at: index)))'")
                return nil
            }
        }
        return options
    }

    private static func number(_ version: ProtocolVersion) -> Int {
        switch version {
        case .resp2: 2
        case .resp3: 3
        }
    }

    private static func describe(_ client: ClientConnection, to reply: inout ReplyBuffer) {
        reply.bytes.appendMapHeader(7, client.version)
        for (name, value) in [("server", "redis"), ("version", redisVersion)] {
            reply.bytes.appendBulk(name)
            reply.bytes.appendBulk(value)
        }
        reply.bytes.appendBulk("proto")
        reply.bytes.appendInteger(number(client.version))
        reply.bytes.appendBulk("id")
        reply.bytes.appendInteger(client.id)
        for (name, value) in [("mode", "standalone"), ("role", "master")] {
            reply.bytes.appendBulk(name)
            reply.bytes.appendBulk(value)
        }
        reply.bytes.appendBulk("modules")
        reply.bytes.appendArrayHeader(0)
    }
}

enum Auth: Command {
    static let name = "auth"
    static let syntax = "[user] password"
    static let needsNoPassword = true
    static let topic = CommandTopic.connection
    static let summary = "`OK` when it is the password of the settings. The one user is `default`."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count <= 3 else {
            reply.bytes.appendError("ERR syntax error")
            return
        }
        if request.count == 2, client.server.settings.password == nil {
            reply.bytes.appendError(
                "ERR AUTH <password> called without any password configured for the default user. "
                    + "Are you sure your configuration is correct?")
            return
        }
        let user = request.count == 3 ? request.string(at: 1) : "default"
        if let error = check(user: user, request.string(at: request.count - 1), for: client) {
            reply.bytes.appendError(error)
        } else {
            reply.bytes.appendSimpleString("OK")
        }
    }

    /// Lets a client in when the password is right, or none is asked for; else returns the error.
    static func check(user: String, _ password: String, for client: ClientConnection) -> String? {
        let expected = client.server.settings.password
        guard user == "default", expected.map({ isEqual($0.exposed, password) }) ?? true else {
            client.server.logger.warning("wrong password", metadata: ["client": "\(client.id)"])
            return "WRONGPASS invalid username-password pair or user is disabled."
        }
        client.isAuthenticated = true
        return nil
    }

    /// Takes as long for any wrong password of one length, so that the time tells nothing of the right one.
    private static func isEqual(_ expected: String, _ given: String) -> Bool {
        let expected = Array(expected.utf8)
        let given = Array(given.utf8)
        guard expected.count == given.count else { return false }
        return zip(expected, given).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
