import RESP

/// `AUTH [user] password`: gives the password of the settings. The one user is `default`.
enum Auth: Command {
    static let name = "auth"
    static let arity = -2
    static let needsNoPassword = true
    static let topic = CommandTopic.connection
    static let summary = "Gives the password."

    static func run(_ request: Request, for client: ClientConnection, reply: inout ReplyBuffer) {
        guard request.count <= 3 else {
            reply.bytes.appendError("ERR syntax error")
            return
        }
        if request.count == 2, client.clients.context.settings.password == nil {
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
        let expected = client.clients.context.settings.password
        guard user == "default", expected.map({ isEqual($0, password) }) ?? true else {
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
