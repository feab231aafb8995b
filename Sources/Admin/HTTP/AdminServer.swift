import Glibc
import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import ServiceLifecycle

/// Tells operators and their programs how the sidecar is, over HTTP: on a thread of its own, beside the loops that serve.
package struct AdminServer: Service, CustomStringConvertible {
    /// Connections at once; more wait to be accepted.
    private static let connectionLimit = 48
    /// File descriptors that it takes at most, with its listener's and those of its thread.
    package static let descriptorLimit = connectionLimit + 16
    /// A connection over which nothing could be written for so long is closed: it asks for nothing, or does not read.
    private static let patience = TimeAmount.seconds(30)

    private let address: AdminAddress
    private let routes: Routes
    private let logger: Logger

    /// - Parameters:
    ///   - statistics: Takes the statistics of now; called on any thread, and may take some microseconds.
    ///   - isStuck: Why the sidecar does not get on, if it does not; likewise.
    package init(
        at address: AdminAddress, logger: Logger, isStuck: @escaping @Sendable () -> String?,
        statistics: @escaping @Sendable () -> SidecarStatistics
    ) {
        self.address = address
        self.logger = logger
        routes = Routes(StatisticsSampler(statistics), isStuck: isStuck)
    }

    package var description: String { "AdminServer" }

    /// Answers until the shutdown begins. An address that can't be had, because a predecessor has it still, say, is tried
    /// again until it can: nobody who is served shall suffer from it.
    package func run() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        var isFirst = true
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                try await serve(on: threads)
            } catch {
                if isFirst {
                    logger.error(
                        "can't listen at admin.listen; it is tried again until it can be had",
                        metadata: ["address": "\(address)", "reason": "\(error)"])
                }
                isFirst = false
                try? await cancelWhenGracefulShutdown { try await Task.sleep(for: .seconds(1)) }
            }
        }
        try? await threads.shutdownGracefully()
    }

    private func serve(on threads: MultiThreadedEventLoopGroup) async throws {
        var quiet = logger
        quiet.logLevel = .critical
        let configuration = HTTP1Channel.Configuration(
            additionalChannelHandlers: [IdleStateHandler(writeTimeout: Self.patience), IdleConnectionCloser()])
        let server = HTTP1Channel(
            responder: { [routes] request, writer, _ in try await routes.respond(to: request, writer) },
            configuration: configuration
        ).server(
            configuration: ServerConfiguration(
                address: bindAddress, backlog: 64,
                availableConnectionsDelegate: .maximum(Self.connectionLimit, logger: quiet)),
            onServerRunning: { [address, logger] channel in
                if case .unix(let path) = address { chmod(path, 0o660) }
                let port = channel.localAddress?.port.map { ["port": "\($0)"] as Logger.Metadata } ?? [:]
                logger.info(
                    "metrics and health can be asked for",
                    metadata: port.merging(["address": "\(address)"]) { first, _ in first })
            },
            eventLoopGroup: threads, logger: quiet)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await server.run() }
            // Who does not read his answer shall not hold up the end.
            tasks.addTask {
                try? await gracefulShutdown()
                try await Task.sleep(for: .seconds(1))
            }
            try await tasks.next()
            tasks.cancelAll()
        }
    }

    private var bindAddress: BindAddress {
        switch address {
        case .tcp(let host, let port): .hostname(host, port: port)
        case .unix(let path): .unixDomainSocket(path: path)
        }
    }
}

/// Closes a connection of which an `IdleStateHandler` says that it is idle.
private final class IdleConnectionCloser: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}
