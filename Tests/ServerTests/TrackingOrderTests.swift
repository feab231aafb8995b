import CacheCore
import Foundation
import Groundwork
import Synchronization
import TestSupport
import Testing

@testable import Server

/// Versions of keys that only grow, loaded as they are when a load begins and brought a while later.
private final class Versions: KeyedGetter {
    let keyParts: Int? = 1
    private let queue = DispatchQueue(label: "loads")
    /// What is so, and what was invalidated since.
    private let state = Groundwork.Mutex<(current: [Int], applied: [Int])>(([], []))

    init(_ count: Int) {
        state.withLock { $0 = (Array(repeating: 1, count: count), Array(repeating: 0, count: count)) }
    }

    /// The versions whose predecessors were invalidated.
    var applied: [Int] { state.withLock { $0.applied } }
    var current: [Int] { state.withLock { $0.current } }

    /// Changes a key, and invalidates it.
    func change(_ number: Int, in group: Group) {
        let version = state.withLock { state in
            state.current[number] += 1
            return state.current[number]
        }
        group.invalidate(Key("\(number)"))
        state.withLock { $0.applied[number] = max($0.applied[number], version) }
    }

    func load(_ flight: consuming Flight) {
        let key = String(decoding: flight.key.bytes, as: UTF8.self)
        let version = state.withLock { $0.current[Int(key) ?? 0] }
        // Each brings the version that it read, and not that of another load of the key.
        let parcel = Parcel(flight)
        queue.async { parcel.take()?.succeed(Value(text: Array("\(key) \(version)".utf8))) }
    }
}

/// A client with a cache of its own that does what pushes tell, and notes what must not be.
private final class Caching {
    let client: TestClient
    private var cache: [Int: Int] = [:]
    private var seen: [Int]
    private(set) var faults: [String] = []
    private(set) var pushes = 0

    init(_ path: String, keys: Int, options: [String]) throws {
        client = try TestClient(path)
        seen = Array(repeating: 0, count: keys)
        _ = try client.ask("HELLO", "3")
        try client.send(raw: TestClient.encoded(["CLIENT", "TRACKING", "ON"] + options))
        _ = try client.receive()
    }

    /// Asks for all by one write; what comes is kept until it is told otherwise.
    func ask(_ keys: [Int], inTransaction: Bool, together: Bool) throws {
        let requests = together ? [["MGET"] + keys.map { "key:\($0)" }] : keys.map { ["GET", "key:\($0)"] }
        let all = inTransaction ? [["MULTI"]] + requests + [["EXEC"]] : requests
        try client.send(raw: all.flatMap { TestClient.encoded($0) })
        var count = 0
        while count < all.count { if try next() != nil { count += 1 } }
    }

    /// Tries to prove that something is stale: what was applied before it asks must be gone when the answer is there.
    func check(_ versions: Versions) throws {
        let applied = versions.applied
        try client.send("PING")
        while try next() != .simpleString("PONG") {}
        for (key, version) in cache where version < applied[key] {
            faults.append("key \(key) is kept in version \(version) when \(applied[key]) was there")
        }
    }

    /// The next reply, with what it says kept; nil: it was a push, which was followed.
    private func next() throws -> Reply? {
        let reply = try client.receive()
        guard case .push(let parts) = reply else {
            keep(reply)
            return reply
        }
        pushes += 1
        if case .array(let keys) = parts[1] {
            for key in keys { cache[Int(key.text?.dropFirst(4) ?? "") ?? -1] = nil }
        } else {
            cache = [:]
        }
        return nil
    }

    /// A value is `KEY VERSION`.
    private func keep(_ reply: Reply) {
        if case .array(let elements) = reply {
            for element in elements { keep(element) }
        } else if let parts = reply.text?.split(separator: " "), parts.count == 2, let key = Int(parts[0]),
            let version = Int(parts[1])
        {
            if version < seen[key] { faults.append("key \(key) goes back from \(seen[key]) to \(version)") }
            seen[key] = max(seen[key], version)
            cache[key] = version
        }
    }
}

@Suite(.timeLimit(.minutes(10)))
struct TrackingOrderTests {
    private static let keys = 24

    @Test(arguments: [[], ["BCAST"], ["BCAST", "PREFIX", "key:"]], [UInt64(1), 2, 3])
    func `a client's cache that follows the pushes is never stale once an invalidation was applied`(
        options: [String], seed: UInt64
    ) async throws {
        let versions = Versions(Self.keys)
        let key = try served("key", versions) { settings in
            // Some leave for want of space, or for time.
            settings.memory = 4000
            settings.timeToLive = .milliseconds(50)
            settings.refreshAfter = .milliseconds(20)
        }
        try await withServer([key], configure: { if seed == 3 { $0.maxTracking = 4000 } }) { server in
            let isOver = Atomic<Bool>(false)
            let pushes = Atomic<Int>(0)
            let writer = Thread {
                var random = SplitMix64(seed: seed)
                var changes = 0
                let deadline = Date(timeIntervalSinceNow: 20)
                // On a busy machine so many may be over before a reader has begun.
                while changes < 2000 || pushes.load(ordering: .relaxed) <= 20 && Date() < deadline {
                    changes += 1
                    versions.change(Int.random(in: 0..<Self.keys, using: &random), in: key.group)
                    if Int.random(in: 0..<200, using: &random) == 0 { key.group.invalidateAll() }
                    for _ in 0..<Int.random(in: 0..<20, using: &random) { sched_yield() }
                }
                isOver.store(true, ordering: .relaxed)
            }
            writer.start()
            let ends = (0..<4).map { _ in DispatchSemaphore(value: 0) }
            let faults = Groundwork.Mutex<[String]>([])
            for index in 0..<4 {
                Thread.detachNewThread {
                    defer { ends[index].signal() }
                    do {
                        var random = SplitMix64(seed: seed &* 31 &+ UInt64(index))
                        let client = try Caching(server.path, keys: Self.keys, options: options)
                        while !isOver.load(ordering: .relaxed) {
                            let before = client.pushes
                            let count = Int.random(in: 1...20, using: &random)
                            try client.ask(
                                (0..<count).map { _ in Int.random(in: 0..<Self.keys, using: &random) },
                                inTransaction: Int.random(in: 0..<4, using: &random) == 0,
                                together: Bool.random(using: &random))
                            try client.check(versions)
                            pushes.wrappingAdd(client.pushes - before, ordering: .relaxed)
                        }
                        try client.check(versions)
                        let found = client.faults
                        faults.withLock { $0 += found }
                    } catch {
                        faults.withLock { $0.append("\(error)") }
                    }
                }
            }
            for end in ends { #expect(end.wait(timeout: .now() + 120) == .success) }
            #expect(faults.withLock { $0 }.prefix(5) == [], "seed \(seed)")
            #expect(pushes.load(ordering: .relaxed) > 20)
        }
    }
}
