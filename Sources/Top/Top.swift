package import Groundwork
import LoadTest

/// Shows a sidecar's figures in a terminal, once a second; where there is no terminal, once.
package struct Top {
    private let socket: String
    private let password: Secret?

    /// - Parameter password: What the sidecar's `AUTH` asks for; nil: nothing.
    package init(socket: String, password: Secret?) {
        self.socket = socket
        self.password = password
    }

    /// Slow loads that are shown.
    private static let slowLoads = 5

    /// Runs until somebody wants the end. Blocks; for the main thread of a program of its own.
    ///
    /// - Parameter print: Is given each line where there is no terminal.
    /// - Throws: ``TopError`` when the sidecar can't be asked at first. One that goes later is asked again until it is back.
    package func run(print: (String) -> Void) throws {
        var connection: BlockingConnection? = try connect()
        var sample: InfoSample?
        var (now, slow) = try Self.ask(&connection)
        guard let terminal = Terminal.take() else {
            for line in TopScreen(now, since: nil, slowLoads: slow).lines(width: .max) { print(line) }
            return
        }
        var loss: String?
        repeat {
            if let loss {
                terminal.show(["\(socket): \(loss)", "it is asked again every second; q ends"])
            } else {
                terminal.show(TopScreen(now, since: sample, slowLoads: slow).lines(width: terminal.size.width))
            }
            sample = now
            if terminal.waitsForEnd(1000) { return }
            do {
                if connection == nil { connection = try connect() }
                (now, slow) = try Self.ask(&connection)
                loss = nil
            } catch {
                connection = nil
                loss = "\(error)"
            }
        } while true
    }

    private func connect() throws -> BlockingConnection {
        var connection: BlockingConnection
        do {
            connection = try BlockingConnection(socket)
        } catch {
            throw TopError("\(error); is the sidecar running, and is this its socket (--socket, --config)?")
        }
        if let password, case .error(let text) = try connection.ask(["AUTH", password.exposed]) {
            throw TopError("AUTH: \(text)")
        }
        return connection
    }

    private static func ask(_ connection: inout BlockingConnection?) throws -> (InfoSample, [TopScreen.SlowLoad]) {
        guard var open = connection.take() else { throw TopError("no connection") }
        let replies = try open.ask(each: [["INFO"], ["SLOWLOG", "GET", "\(slowLoads)"]])
        connection = consume open
        if case .error(let text) = replies[0] { throw TopError("INFO: \(text)") }
        guard let text = replies[0].text else { throw TopError("INFO was answered by something else: no sidecar?") }
        guard case .array(let loads) = replies[1] else { return (InfoSample(text, at: .now()), []) }
        return (InfoSample(text, at: .now()), loads.compactMap(TopScreen.SlowLoad.init))
    }
}

/// Why a sidecar can't be shown.
package struct TopError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

extension TopScreen.SlowLoad {
    /// Reads an element of what `SLOWLOG GET` answers; nil when it is none of a sidecar's.
    init?(_ reply: WireReply) {
        guard case .array(let fields) = reply, fields.count >= 4, let total = fields[2].text.flatMap({ Double($0) }),
            case .array(let parts) = fields[3], parts.count >= 8
        else { return nil }
        let words = parts.map { $0.text ?? "" }
        let pairs = stride(from: 2, to: words.count - 1, by: 2).map { (words[$0], words[$0 + 1]) }
        key = words[1]
        milliseconds = total / 1000
        waits = pairs.filter { $0.0 != "error" }.map { ($0.0, (Double($0.1) ?? 0) / 1000) }
        error = pairs.first { $0.0 == "error" }?.1
    }
}
