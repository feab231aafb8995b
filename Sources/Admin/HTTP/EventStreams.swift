import HTTPTypes
import HummingbirdCore
import NIOCore
import ServiceLifecycle
import Synchronization

/// Sends the statistics once a second to each who asked for them (https://html.spec.whatwg.org/multipage/server-sent-events.html).
final class EventStreams: Sendable {
    /// So many at once; further ones are refused, so that the other paths can be asked for whoever watches.
    private static let limit = 16
    private static let pause = Duration.seconds(1)

    private let sampler: StatisticsSampler
    private let count = Atomic<Int>(0)

    init(_ sampler: StatisticsSampler) {
        self.sampler = sampler
    }

    /// Answers a request with a stream, which ends with its connection or when the sidecar does.
    func respond(_ writer: consuming ResponseWriter, wantsBody: Bool) async throws {
        defer { count.subtract(1, ordering: .relaxed) }
        guard count.add(1, ordering: .relaxed).newValue <= Self.limit else {
            let text = ByteBuffer(string: "there are \(Self.limit) streams already\n")
            return try await writer.write(
                response: HTTPResponse(
                    status: .serviceUnavailable,
                    headerFields: [.contentType: "text/plain", .contentLength: "\(text.readableBytes)"]),
                body: ResponseBody(byteBuffer: text))
        }
        let head = HTTPResponse(
            status: .ok, headerFields: [.contentType: "text/event-stream", .cacheControl: "no-store"])
        guard wantsBody else { return try await writer.writeResponse(head) }
        var body = try await writer.writeHead(head)
        try await body.write(ByteBuffer(string: "retry: 2000\n\n"))
        while !Task.isShuttingDownGracefully {
            try await body.write(event())
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.pause) }
            try Task.checkCancellation()
        }
        try await body.finish(nil)
    }

    private func event() throws -> ByteBuffer {
        var event = ByteBuffer(string: "event: statistics\ndata: ")
        event.writeBytes(try sampler.statistics().json())
        event.writeString("\n\n")
        return event
    }
}
