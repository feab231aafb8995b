import CacheCore
import EventLoop
import Foundation
import Groundwork
import Logging
import PrivateDatabase
import TestSupport
import Testing

@testable import Postgres

/// A database that takes the place of another one, as a reload has it.
@Suite(.timeLimit(.minutes(10)))
struct SuccessorTests {
    @Test func `a loop that was busy since the successor was started fails no load`() async throws {
        let echo = QueryGetter(name: "echo", sql: "select $1::text", returns: .value)
        let url = try await Server.shared().url
        let bench = try Bench(url, [echo])
        #expect(await bench.load("echo", "a", on: 1) == .text("a"))
        var settings = DatabaseSettings()
        settings.url = Secret(url)
        let successor = Database(
            settings: settings, loops: bench.loops, getters: [echo], logger: Logger(label: "test"),
            succeeding: bench.database)
        // The round of the second loop goes on until the loads are the successor's, or for long enough to show that they wait for it.
        let isTaken = DispatchSemaphore(value: 0)
        let isBusy = DispatchSemaphore(value: 0)
        let group = try #require(bench.groups["echo"])
        let sink = GatheringSink(1)
        bench.loops[1].submit {
            isBusy.signal()
            _ = isTaken.wait(timeout: .now() + 2)
            Bench.load(Key("b"), of: group, into: sink)
        }
        #expect(await eventually { isBusy.wait(timeout: .now()) == .success })
        successor.start()
        #expect(await successor.firstConnection() == nil)
        await successor.takeLoads()
        isTaken.signal()
        await bench.database.retire()
        #expect(await sink.outcomes().map { Answer($0) } == [.text("b")])
        #expect(await bench.load("echo", "c", on: 1) == .text("c"))
        await successor.stop()
        await bench.stop()
    }
}
