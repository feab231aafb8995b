import Foundation
import Glibc

/// One HTTP/1.1 connection, which gives up after thirty seconds. For one task at a time.
///
/// What waits does so on a thread of its own: the server that it asks may need those of Swift's pool.
package final class HTTPProbe: @unchecked Sendable {
    // Unchecked: its user sees to it.

    /// An answer with a body of known length.
    package struct Answer: Sendable {
        package let status: Int
        /// By their names in lower case.
        package let headers: [String: String]
        package let body: String
    }

    private let socket: TestSocket
    private var received: [UInt8] = []

    /// Connects to a Unix socket.
    package init(socket path: String) throws { socket = try TestSocket(path) }

    /// Connects to a port of this machine.
    package init(port: Int) throws { socket = try TestSocket(port: port) }

    /// Asks and reads the whole answer.
    package func get(_ path: String) async throws -> Answer { try await ask("GET", path) }

    /// Asks by another method. The answer to `HEAD` has no body.
    package func ask(_ method: String, _ path: String) async throws -> Answer {
        try await send("\(method) \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return try await receive(hasBody: method != "HEAD")
    }

    /// Sends what may be no request.
    package func send(_ text: String) async throws {
        try await onThread { try self.socket.send(Array(text.utf8)) }
    }

    /// The next answer, of which the body has the length that it says.
    package func receive(hasBody: Bool = true) async throws -> Answer {
        try await onThread { try self.receiveHere(hasBody: hasBody) }
    }

    /// What comes up to and without a text.
    package func text(upTo end: String) async throws -> String {
        try await onThread { try self.textHere(upTo: end) }
    }

    /// Whether the other end closes, whatever it says before.
    package func isClosed() async throws -> Bool {
        try await onThread {
            while true {
                do { try self.receiveMore() } catch { return !"\(error)".contains("errno \(EAGAIN)") }
            }
        }
    }

    private func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Swift.Result(catching: body)) }
        }
    }

    private func receiveHere(hasBody: Bool) throws -> Answer {
        let head = try textHere(upTo: "\r\n\r\n").components(separatedAt: "\r\n")
        let words = head[0].split(separator: " ")
        guard words.count >= 2, let status = Int(words[1]) else { throw Failure("no HTTP: \(head[0])") }
        var headers: [String: String] = [:]
        for line in head.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1).map { String($0) }
            if parts.count == 2 { headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " }) }
        }
        let length = hasBody ? Int(headers["content-length"] ?? "") ?? 0 : 0
        while received.count < length { try receiveMore() }
        let body = String(decoding: received[..<length], as: UTF8.self)
        received.removeFirst(length)
        return Answer(status: status, headers: headers, body: body)
    }

    private func textHere(upTo end: String) throws -> String {
        let end = Array(end.utf8)
        while true {
            if let found = received.firstRange(of: end) {
                let text = String(decoding: received[..<found.lowerBound], as: UTF8.self)
                received.removeSubrange(..<found.upperBound)
                return text
            }
            try receiveMore()
        }
    }

    private func receiveMore() throws {
        let bytes = try socket.receive()
        guard !bytes.isEmpty else { throw Failure("closed") }
        received += bytes
    }
}

extension String {
    fileprivate func components(separatedAt separator: String) -> [String] {
        split(separator: separator, omittingEmptySubsequences: false).map { String($0) }
    }
}
