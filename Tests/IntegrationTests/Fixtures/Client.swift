import Foundation
import Glibc
import Groundwork
import RESP

/// A client of the socket that blocks, and gives up after twenty seconds. One thread at a time.
final class Client: @unchecked Sendable {
    // Unchecked: each test uses one from one thread at a time.
    private let descriptor: Int32
    private var parser = ReplyParser()
    private var received: [UInt8] = []

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw Failure("socket: errno \(errno)") }
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withUnixAddress(path) { connect(descriptor, $0, $1) }
        guard result == 0 else { throw Failure("connect to \(path): errno \(errno)") }
    }

    deinit { close(descriptor) }

    /// Sends a request.
    func send(_ arguments: [String]) throws {
        var bytes = Array("*\(arguments.count)\r\n".utf8)
        for argument in arguments { bytes += Array("$\(argument.utf8.count)\r\n\(argument)\r\n".utf8) }
        try send(bytes)
    }

    /// Sends what may be no request.
    func send(raw text: String) throws { try send(Array(text.utf8)) }

    private func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { throw Failure("send: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    func send(_ arguments: String...) throws { try send(arguments) }

    /// The next reply.
    func receive() throws -> Reply {
        while true {
            let bytes = received
            switch try parser.parse(bytes.span.bytes) {
            case .reply(let reply, let count):
                received.removeFirst(count)
                return reply
            case .incomplete: try receiveMore()
            }
        }
    }

    func ask(_ arguments: String...) throws -> Reply {
        try send(arguments)
        return try receive()
    }

    private func receiveMore() throws {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { throw Failure(count == 0 ? "closed" : "recv: errno \(errno)") }
        received += bytes[..<count]
    }
}

extension Reply {
    var isError: Bool {
        if case .error = self { true } else { false }
    }
}

/// A client on a thread of its own that asks one question after the other until it is told to stop.
final class Asker: Sendable {
    struct Answer: Sendable {
        let reply: Reply
        let took: Duration
        let at: Instant
    }

    private let answers = Groundwork.Mutex<(list: [Answer], isDone: Bool, failure: String?)>(([], false, nil))
    private let isStopped = Groundwork.Mutex(false)

    /// Starts to ask; `request` makes the n-th request.
    init(_ client: Client, _ request: @escaping @Sendable (Int) -> [String]) {
        Thread.detachNewThread { [self] in
            do {
                var count = 0
                while !isStopped.withLock({ $0 }) {
                    let began = Instant.now()
                    try client.send(request(count))
                    let reply = try client.receive()
                    let now = Instant.now()
                    answers.withLock { $0.list.append(Answer(reply: reply, took: now - began, at: now)) }
                    count += 1
                }
            } catch {
                answers.withLock { $0.failure = "\(error)" }
            }
            answers.withLock { $0.isDone = true }
        }
    }

    /// How many answers came so far.
    var count: Int { answers.withLock { $0.list.count } }
    /// The last answer so far.
    var last: Answer? { answers.withLock { $0.list.last } }

    /// Stops, and gives all answers.
    func stop() async throws -> [Answer] {
        isStopped.withLock { $0 = true }
        guard await eventually({ self.answers.withLock { $0.isDone } }) else { throw Failure("an asker hangs") }
        let (list, _, failure) = answers.withLock { $0 }
        if let failure { throw Failure(failure) }
        return list
    }
}
