import CacheCore
import Foundation
import FoundationNetworking
import Hummingbird
import Synchronization
import Testing
import TypedCache

@testable import UserServer

@Suite(.timeLimit(.minutes(10))) struct UserServerTests {
    @Test func `fifty requests at once are one question, and the next is answered from memory`() async throws {
        let source = HeldSource([7: User(name: "Ada")])
        try await withServer(of: source) { client, users async throws in
            async let answers = withThrowingTaskGroup(of: Answer.self) { requests in
                for _ in 0..<50 { requests.addTask { try await client.get("users/7") } }
                return try await requests.reduce(into: []) { $0.append($1) }
            }
            try await eventually { users.callerCount(of: 7) == 50 }
            source.release()
            let came = try await answers
            #expect(came == Array(repeating: Answer(200, #"{"name":"Ada"}"#), count: 50))
            #expect(try await client.get("users/7") == Answer(200, #"{"name":"Ada"}"#))
            #expect(source.asked == [7])
        }
    }

    @Test func `no such user is an answer that is kept, too`() async throws {
        let source = HeldSource([:])
        source.release()
        try await withServer(of: source) { client, _ async throws in
            #expect(try await client.get("users/8").status == 404)
            #expect(try await client.get("users/8").status == 404)
            #expect(source.asked == [8])
        }
    }

    @Test func `who asks after a change gets what was changed, even when a load was under way`() async throws {
        let source = HeldSource([7: User(name: "Ada")])
        try await withServer(of: source) { client, users async throws in
            async let before = client.get("users/7")
            try await eventually { source.asked == [7] }
            #expect(try await client.put("users/7", #"{"name":"Grace"}"#).status == 200)
            async let after = client.get("users/7")
            try await eventually { source.asked == [7, 7] }
            source.release()
            // What the first load had read is for those who asked before.
            let (old, new) = try await (before, after)
            #expect(old == Answer(200, #"{"name":"Ada"}"#))
            #expect(new == Answer(200, #"{"name":"Grace"}"#))
            #expect(try await client.get("users/7") == Answer(200, #"{"name":"Grace"}"#))
            #expect(source.asked == [7, 7])
        }
    }

    @Test func `a source that is away is told as such, and its errors are not kept`() async throws {
        let source = HeldSource([7: User(name: "Ada")])
        source.release()
        source.fail(LoadError(.unavailable, "away"))
        try await withServer(of: source) { client, _ async throws in
            #expect(try await client.get("users/7").status == 503)
            source.fail(nil)
            #expect(try await client.get("users/7").status == 200)
        }
    }
}

/// A source that reads at once, and answers when the test lets it.
private final class HeldSource: UserSource {
    private struct State {
        var users: [Int: User]
        var asked: [Int] = []
        var failure: LoadError?
        var isReleased = false
        var held: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ users: [Int: User]) { state = Mutex(State(users: users)) }

    /// Who was asked for, in order.
    var asked: [Int] { state.withLock { $0.asked } }

    func fail(_ error: LoadError?) { state.withLock { $0.failure = error } }

    /// Lets go of those who wait, and of all who come.
    func release() {
        let held = state.withLock { state in
            state.isReleased = true
            defer { state.held = [] }
            return state.held
        }
        for waiting in held { waiting.resume() }
    }

    func user(_ id: Int) async throws -> User? {
        let result: Result<User?, LoadError> = state.withLock { state in
            state.asked.append(id)
            return state.failure.map { .failure($0) } ?? .success(state.users[id])
        }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if !state.isReleased { state.held.append(continuation) }
                return state.isReleased
            }
            if goesOn { continuation.resume() }
        }
        return try result.get()
    }

    func change(_ id: Int, to user: User) { state.withLock { $0.users[id] = user } }
}

private struct Answer: Equatable, Sendable {
    let status: Int
    let body: String

    init(_ status: Int, _ body: String) {
        self.status = status
        self.body = body
    }
}

/// Asks a server over a real connection.
private struct Client: Sendable {
    private let port: Int
    private let session: URLSession

    init(port: Int) {
        self.port = port
        let configuration = URLSessionConfiguration.ephemeral
        configuration.httpMaximumConnectionsPerHost = 100
        session = URLSession(configuration: configuration)
    }

    func get(_ path: String) async throws -> Answer { try await ask("GET", path, nil) }
    func put(_ path: String, _ body: String) async throws -> Answer { try await ask("PUT", path, Data(body.utf8)) }

    private func ask(_ method: String, _ path: String, _ body: Data?) async throws -> Answer {
        var request = URLRequest(url: try #require(URL(string: "http://127.0.0.1:\(port)/\(path)")))
        request.httpMethod = method
        request.httpBody = body
        let (data, response) = try await session.data(for: request)
        return Answer(
            try #require(response as? HTTPURLResponse).statusCode, String(decoding: data, as: UTF8.self))
    }
}

/// Runs `body` beside a server at a port of the kernel's choice.
private func withServer(
    of source: HeldSource, _ body: (Client, LoadingCache<Int, User>) async throws -> Void
) async throws {
    let controller = UserController(of: source)
    let router = Router()
    controller.addRoutes(to: router)
    let (ports, port) = AsyncStream<Int>.makeStream()
    let application = Application(
        router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) })
    let server = Task { try await application.run() }
    defer { server.cancel() }
    var bound = ports.makeAsyncIterator()
    let number = try #require(await bound.next())
    try await body(Client(port: number), controller.users)
    source.release()
}

/// Waits until something is so, at most half a minute.
private func eventually(_ isSo: () -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while !isSo() {
        try #require(ContinuousClock.now < deadline)
        await Task.yield()
    }
}
