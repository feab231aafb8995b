import CacheCore
import Foundation
import Groundwork
import TestSupport
import Testing

@testable import Server

/// Every answer is the same answer: whatever else is asked, of every size, cold and hot, however the requests are sent and
/// however fast the replies are read.
@Suite(.timeLimit(.minutes(10)), .serialized)
struct DeliveryTests {
    /// How requests are sent.
    enum Sending: CaseIterable {
        /// Each when the reply to the last is there.
        case alone
        /// All of them, before a reply is read.
        case pipelined
        /// Some at a time.
        case mixed
    }

    /// Room for some replies of 1 MiB at most.
    private func fewBuffers(_ settings: inout ServerSettings) {
        settings.maxOutput = 1 << 20
        settings.maxBuffers = 4 << 20
    }

    private func withRows(
        memory: Int = 256 << 20, configure: (inout ServerSettings) -> Void = { _ in },
        _ body: (TestServer, HeldGetter) async throws -> Void
    ) async throws {
        let getter = Question.getter()
        let rows = try served("row", getter, shape: .row) { $0.memory = memory }
        try await withServer([rows], configure: configure) { try await body($0, getter) }
    }

    @Test(arguments: [0, 1, 16_384, 16_385, 212_000, 213_100, 500_000, 5 << 20, 64 << 20])
    func `a lone GET of any size is answered whole, loaded and from memory`(_ size: Int) async throws {
        try await withRows { server, _ in
            let client = try TestClient(server.path)
            let question = Question.get("a", size)
            for time in ["cold", "hot", "hot again"] {
                try client.send(raw: question.request)
                #expect(try client.receives(question.reply), "\(time)")
            }
            #expect(await eventually { server.server.statistics.replyBytes == 0 })
        }
    }

    @Test(arguments: Sending.allCases, [256 << 10, 700])
    func `any requests in any order bring the same bytes`(_ sending: Sending, _ readSize: Int) async throws {
        try await withRows { server, _ in
            for seed: UInt64 in 1...3 {
                var generator = SplitMix64(seed: seed)
                let questions = (0..<60).map { _ in
                    Question.random("s\(seed)", most: readSize < 1000 ? 70_000 : 1 << 20, by: &generator)
                }
                let client = try TestClient(server.path)
                for time in ["cold", "hot"] {
                    var next = 0
                    while next < questions.count {
                        let count =
                            switch sending {
                            case .alone: 1
                            case .pipelined: questions.count
                            case .mixed: Int.random(in: 1...(questions.count - next), using: &generator)
                            }
                        let asked = questions[next..<next + count]
                        try client.send(raw: asked.flatMap(\.request))
                        for question in asked {
                            let isRight = try client.receives(question.reply, atMost: readSize)
                            try #require(
                                isRight, "\(time), seed \(seed): \(String(decoding: question.request, as: UTF8.self))")
                        }
                        next += count
                    }
                }
            }
            #expect(await eventually { server.server.statistics.replyBytes == 0 })
            #expect(server.server.statistics.pending == 0)
        }
    }

    @Test(arguments: [10, 10_000])
    func `a client that writes all its requests before it reads a reply is served`(_ size: Int) async throws {
        let value = Value(text: Question.text(size))
        let count = size < 100 ? 100_000 : 20_000
        let group = try served("row", LaterGetter { _ in value }) { $0.memory = 512 << 20 }
        try await withServer([group]) { server in
            let client = try TestClient(server.path)
            let requests = (0..<count).flatMap { TestClient.encoded(["GET", "row:\($0)"]) }
            let reply = Question.bulk(Question.text(size))
            for time in ["cold", "hot"] {
                try client.send(raw: requests)
                // 1,024 may wait for loads, and as much as is asked for ahead of its being sent.
                #expect(server.server.statistics.replyBytes < 16 << 20)
                let replies = [UInt8]((0..<100).map { _ in reply }.joined())
                for _ in 0..<count / 100 {
                    let isRight = try client.receives(replies)
                    try #require(isRight, "\(time)")
                }
            }
            #expect(
                await eventually {
                    server.server.statistics.replyBytes == 0 && server.server.statistics.requestBytes == 0
                })
        }
    }

    /// What one recv(2) takes is 64 KiB: a write that fills it says nothing of whether there is more.
    @Test(arguments: [16_384, 65_535, 65_536, 65_537, 131_072, 196_608], [false, true])
    func `what is written at once is answered whole though nothing follows it`(_ size: Int, _ isTracking: Bool)
        async throws
    {
        let loop = LoopHolder()
        try await withServer([try served("word", loop.getter)], loops: 1) { server in
            let client = try TestClient(server.path)
            if isTracking {
                try client.send("HELLO", "3")
                _ = try client.receive()
                #expect(try client.ask("CLIENT", "TRACKING", "ON") == .simpleString("OK"))
            }
            // The loop is kept busy until all of it is there.
            let holder = try TestClient(server.path)
            try holder.send("GET", "word:hold")
            #expect(loop.holds())
            // Their replies are short, so that none is held up until the client reads.
            let short = TestClient.encoded(["DEL", "word:" + String(repeating: "x", count: 900)])
            func echo(_ count: Int) -> [UInt8] { TestClient.encoded(["ECHO", String(repeating: "x", count: count)]) }
            let count = (size - 1500) / short.count
            let padding = size - count * short.count - (echo(1000).count - 1000)
            let requests = (0..<count).flatMap { _ in short } + echo(padding)
            #expect(requests.count == size)
            try client.send(raw: requests)
            loop.goOn()
            let text = [UInt8](repeating: UInt8(ascii: "x"), count: padding)
            let replies = (0..<count).flatMap { _ in Array(":0\r\n".utf8) } + Question.bulk(text)
            #expect(try client.receives(replies))
        }
    }

    @Test func `what is asked before a half-close is answered, however much it is`() async throws {
        try await withRows { server, _ in
            let client = try TestClient(server.path)
            let question = Question.get("a", 5000)
            try client.send(raw: (0..<5000).flatMap { _ in question.request })
            client.shutWrite()
            for _ in 0..<5000 { #expect(try client.receives(question.reply)) }
            #expect(try client.isAtEnd())
        }
    }

    @Test func `who leaves in the middle of a request leaves nothing of it to the next client`() async throws {
        let loop = LoopHolder()
        try await withServer([try served("word", loop.getter)], loops: 1) { server in
            let holder = try TestClient(server.path)
            try holder.send("GET", "word:hold")
            #expect(loop.holds())
            // The loop finds its bytes, and that nobody takes the reply.
            let leaving = try TestClient(server.path)
            try leaving.send(raw: "PING\r\n*2\r\n$3\r\nGET\r\n$5")
            leaving.end(abruptly: false)
            loop.goOn()
            #expect(try holder.receive() == .bulk(Array("hold".utf8)))
            let next = try TestClient(server.path)
            #expect(try next.ask("PING") == .simpleString("PONG"))
            #expect(try next.ask("GET", "word:next") == .bulk(Array("next".utf8)))
        }
    }

    @Test func `errors that come at once are sent at once, whatever comes behind them`() async throws {
        let group = try served("teller", HeldGetter(keyParts: 2) { .text($0) })
        try await withServer([group], loops: 1) { server in
            let client = try TestClient(server.path)
            let refused = "ERR keys of the group 'teller' have 2 parts: 'teller:part1:part2'"
            for count in [1, 1023, 1024, 1025, 3000] {
                try client.send(
                    raw: (0..<count).flatMap { _ in TestClient.encoded(["GET", "teller:1"]) }
                        + TestClient.encoded(["PING"]))
                for _ in 0..<count { #expect(try client.receive() == .error(refused)) }
                #expect(try client.receive() == .simpleString("PONG"))
            }
        }
    }

    @Test(arguments: [256 << 20, 64 << 10])
    func `results that find no room are let go, and asked for again at their turn`(_ memory: Int) async throws {
        let size = 100_000
        let getter = HeldGetter { $0 == "first" ? .held : .value(Value(text: Question.text(size))) }
        let group = try served("row", getter) { $0.memory = memory }
        try await withServer([group], loops: 1, configure: fewBuffers) { server in
            let client = try TestClient(server.path)
            try client.send("GET", "row:first")
            try client.send(raw: (0..<200).flatMap { TestClient.encoded(["GET", "row:\($0)"]) })
            #expect(getter.waitForLoads(20))
            // Behind the first, the half of what all may hold is theirs.
            #expect(await eventually { server.server.statistics.pending <= 1 })
            #expect((1...(1 << 20)).contains(server.server.statistics.replyBytes))
            #expect(getter.finish("first", "1"))
            #expect(try client.receives(Question.bulk(Array("1".utf8))))
            let reply = Question.bulk(Question.text(size))
            for index in 0..<200 {
                let isRight = try client.receives(reply)
                try #require(isRight, "\(index)")
            }
            #expect(await eventually { server.server.statistics.replyBytes == 0 })
        }
    }

    @Test(arguments: [1, 2])
    func `what all replies hold is bounded, and who waits for room is served when there is some`(_ loops: Int)
        async throws
    {
        let size = 900_000
        let getter = HeldGetter { $0.hasPrefix("held") ? .held : .value(Value(text: Question.text(size))) }
        let group = try served("row", getter) { $0.memory = 64 << 10 }
        try await withServer(
            [group, try served("small", HeldGetter { .text($0) })], loops: loops,
            configure: {
                $0.maxOutput = 1 << 20
                $0.maxBuffers = 8 << 20
            }
        ) { server in
            let clients = try (0..<40).map { _ in try TestClient(server.path) }
            for (index, client) in clients.enumerated() {
                for part in 0..<3 { try client.send("GET", "row:\(index % 20)-\(part)") }
            }
            #expect(getter.waitForLoads(20))
            let other = try TestClient(server.path)
            for index in 0..<100 { #expect(try other.ask("GET", "small:\(index % 10)") == .bulk("\(index % 10)")) }
            #expect(server.server.statistics.replyBytes <= 4 << 20)
            let reply = Question.bulk(Question.text(size))
            // On threads of their own, all at once: who does not read is in the way of the others.
            let right = Count()
            let done = DispatchSemaphore(value: 0)
            for client in clients {
                Thread.detachNewThread {
                    for _ in 0..<3 where (try? client.receives(reply)) == true { right.add() }
                    done.signal()
                }
            }
            for _ in clients { done.wait() }
            #expect(right.value == 120)
            #expect(await eventually { server.server.statistics.replyBytes == 0 })
        }
    }

    @Test func `a reply that the kernel takes no more of is nobody else's room while it is being sent`() async throws {
        let getter = HeldGetter { $0 == "first" ? .held : .value(Value(text: Question.text(900_000))) }
        let group = try served("row", getter) { $0.memory = 64 << 10 }
        try await withServer([group], loops: 1, configure: fewBuffers) { server in
            let client = try TestClient(server.path)
            for key in ["first", "large"] { try client.send("GET", "row:\(key)") }
            #expect(await eventually { server.server.statistics.replyBytes > 900_000 })
            let hadRoom = Count()
            server.server.context.output.whenRoom(for: 1_500_000) { hadRoom.add() }
            #expect(getter.finish("first", "1"))
            #expect(try client.receives(Question.bulk(Array("1".utf8))))
            // What stands in front of the large one was sent with it, and a second client was served behind it.
            #expect(try TestClient(server.path).ask("PING") == .simpleString("PONG"))
            #expect(hadRoom.value == 0)
            #expect(try client.receives(Question.bulk(Question.text(900_000))))
            #expect(await eventually { hadRoom.value == 1 })
        }
    }

    @Test func `a value that many wait for counts once`() async throws {
        let getter = HeldGetter()
        let group = try served("row", getter)
        try await withServer(
            [group], loops: 1,
            configure: {
                $0.maxOutput = 2 << 20
                $0.maxBuffers = 4 << 20
            }
        ) { server in
            let clients = try (0..<50).map { _ in try TestClient(server.path) }
            for client in clients { try client.send("GET", "row:a") }
            #expect(await eventually { group.group.statistics.misses == 50 })
            #expect(getter.finish("a", .success(Value(text: Question.text(1_500_000)))))
            // All of them are being sent it; none had to ask again.
            #expect(clients.allSatisfy { $0.hasInput(within: 120_000) })
            #expect(group.group.statistics.gets == 50)
            #expect((1_500_000...2_000_000).contains(server.server.statistics.replyBytes))
            for client in clients { #expect(try client.receives(Question.bulk(Question.text(1_500_000)))) }
        }
    }

    @Test func `EXISTS, HGET and HMGET of a row that is larger than a reply may be are answered`() async throws {
        try await withRows(configure: { $0.maxOutput = 50_000 }) { server, _ in
            let client = try TestClient(server.path)
            for name in ["a", "b"] {
                #expect(try client.ask("EXISTS", "row:\(name)1-60000") == .integer(1))
                #expect(try client.ask("HGET", "row:\(name)2-60000", "id") == .bulk("\(name)2-60000"))
                #expect(try client.ask("HMGET", "row:\(name)3-60000", "id") == .array([.bulk("\(name)3-60000")]))
                #expect(try client.ask("GET", "row:\(name)4-60000").text?.hasPrefix("TOOLARGE ") == true)
                #expect(
                    try client.ask("HGETALL", "row:\(name)5-60000").text?.hasPrefix("TOOLARGE ") == true)
            }
        }
    }

    @Test func `a key that an MGET names often counts as often`() async throws {
        try await withRows(configure: { $0.maxOutput = 50_000 }) { server, _ in
            let client = try TestClient(server.path)
            let keys = [String](repeating: "row:a-1000", count: 100)
            for _ in 0..<2 {
                try client.send(raw: TestClient.encoded(["MGET"] + keys))
                #expect(try client.receive().text?.hasPrefix("TOOLARGE ") == true)
            }
        }
    }
}

private final class Count: Sendable {
    private let count = Groundwork.Mutex(0)

    func add() { count.withLock { $0 += 1 } }

    var value: Int { count.withLock { $0 } }
}
