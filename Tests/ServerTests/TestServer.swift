import CacheCore
import EventLoop
import Foundation
import Groundwork
import Logging
import Server
import TestSupport

/// A server on loops of its own at a socket in a folder of its own; gone with `end()`.
final class TestServer: Sendable {
    let path: String
    let server: Server
    private let folder: String
    private let loops: [EventLoop]

    init(
        _ groups: [ServedGroup], loops count: Int = 2, keyPrefix: String = "", changes: AppliedChanges = .none,
        operations: Operations = Operations(), slowLoads: SlowLoads? = nil,
        log: any LogHandler = SwiftLogNoOpLogHandler(),
        configure: (inout ServerSettings) -> Void = { _ in }
    ) throws {
        folder = NSTemporaryDirectory() + "pgs-" + UUID().uuidString.prefix(8)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var settings = ServerSettings(socket: folder + "/s.sock")
        configure(&settings)
        path = settings.socket
        var loops: [EventLoop] = []
        for index in 0..<count { loops.append(try EventLoop(index: index)) }
        self.loops = loops
        for loop in loops { loop.start() }
        var information = ServerInformation(memoryLimit: 1 << 20, memoryUsed: { 12 })
        information.slowLoads = slowLoads
        server = try Server(
            settings: settings, loops: loops, keyspace: Keyspace(groups, keyPrefix: keyPrefix),
            information: information, changes: changes, operations: operations,
            logger: Logger(label: "test", factory: { _ in log }))
        try server.start()
    }

    func end(deadline: Duration = .seconds(0)) async {
        await server.stop(deadline: deadline)
        for loop in loops { await loop.end() }
        try? FileManager.default.removeItem(atPath: folder)
    }
}

/// Runs `body` with a server, and ends that whatever happens.
func withServer(
    _ groups: [ServedGroup], loops: Int = 2, keyPrefix: String = "", changes: AppliedChanges = .none,
    operations: Operations = Operations(), slowLoads: SlowLoads? = nil,
    log: any LogHandler = SwiftLogNoOpLogHandler(),
    configure: (inout ServerSettings) -> Void = { _ in }, _ body: (TestServer) async throws -> Void
) async throws {
    let server = try TestServer(
        groups, loops: loops, keyPrefix: keyPrefix, changes: changes, operations: operations, slowLoads: slowLoads,
        log: log, configure: configure)
    do {
        try await body(server)
    } catch {
        await server.end()
        throw error
    }
    await server.end()
}

/// A group in a cache of its own.
func served(
    _ name: String, _ getter: any Getter, shape: ServedGroup.Shape = .value,
    settings: (inout GroupSettings) -> Void = { _ in }
) throws -> ServedGroup {
    var groupSettings = GroupSettings()
    // A held load is not to time out on a busy machine.
    groupSettings.loadTimeout = .seconds(60)
    settings(&groupSettings)
    return ServedGroup(try Group(name, settings: groupSettings, getter: getter), shape: shape)
}

/// A getter that keeps the loop which asks it for a key, until it is told to go on.
struct LoopHolder {
    private let isHeld = DispatchSemaphore(value: 0)
    private let mayGoOn = DispatchSemaphore(value: 0)
    private let held: String

    /// Keeps it at this key; others are answered at once.
    init(at key: String = "hold") {
        held = key
    }

    /// Gives each key as its own value.
    var getter: HeldGetter {
        HeldGetter { [isHeld, mayGoOn, held] key in
            if key == held {
                isHeld.signal()
                mayGoOn.wait()
            }
            return .text(key)
        }
    }

    /// Whether the loop is kept, after at most two minutes.
    func holds() -> Bool { isHeld.wait(timeout: .now() + 120) == .success }

    /// Lets it go on.
    func goOn() { mayGoOn.signal() }
}
