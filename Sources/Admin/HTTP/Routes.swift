import HTTPTypes
import HummingbirdCore
import NIOCore
import Pages

/// What is answered to each path.
struct Routes: Sendable {
    private let sampler: StatisticsSampler
    private let events: EventStreams
    private let isStuck: @Sendable () -> String?

    init(_ sampler: StatisticsSampler, isStuck: @escaping @Sendable () -> String?) {
        self.sampler = sampler
        self.isStuck = isStuck
        events = EventStreams(sampler)
    }

    /// A whole answer.
    struct Answer {
        var status = HTTPResponse.Status.ok
        var type = "text/plain; charset=utf-8"
        var headers = HTTPFields()
        var body: ByteBuffer

        init(_ text: String, status: HTTPResponse.Status = .ok) {
            body = ByteBuffer(string: text)
            self.status = status
        }
    }

    /// Answers one request.
    func respond(to request: Request, _ writer: consuming ResponseWriter) async throws {
        let isRead = request.method == .get || request.method == .head
        if isRead, request.uri.path == "/events" {
            return try await events.respond(writer, wantsBody: request.method == .get)
        }
        let answer = isRead ? answer(to: request.uri.path) : Self.onlyReading
        var head = HTTPResponse(status: answer.status, headerFields: answer.headers)
        head.headerFields[.contentType] = answer.type
        head.headerFields[.contentLength] = "\(answer.body.readableBytes)"
        head.headerFields[.cacheControl] = "no-store"
        head.headerFields[.xContentTypeOptions] = "nosniff"
        if request.method == .head {
            try await writer.writeResponse(head)
        } else {
            try await writer.write(response: head, body: ResponseBody(byteBuffer: answer.body))
        }
    }

    private func answer(to path: String) -> Answer {
        switch path {
        case "/": page
        case "/metrics": metrics
        case "/stats.json": statistics
        case "/livez": life
        case "/readyz": readiness
        default: Answer("no such path; there are / /metrics /stats.json /events /livez /readyz\n", status: .notFound)
        }
    }

    private static var onlyReading: Answer {
        var answer = Answer("only GET and HEAD\n", status: .methodNotAllowed)
        answer.headers[.allow] = "GET, HEAD"
        return answer
    }

    private var page: Answer {
        var answer = Answer(StatusPage.html)
        answer.type = "text/html; charset=utf-8"
        answer.headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
            + "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        return answer
    }

    private var metrics: Answer {
        var answer = Answer(PrometheusText(Metric.all, of: sampler.statistics()).text)
        answer.type = PrometheusText.contentType
        return answer
    }

    private var statistics: Answer {
        guard let json = try? sampler.statistics().json() else {
            return Answer("the statistics can't be written as JSON\n", status: .internalServerError)
        }
        var answer = Answer("")
        answer.type = "application/json"
        answer.body = ByteBuffer(bytes: json)
        return answer
    }

    private var life: Answer {
        isStuck().map { Answer("stuck: \($0)\n", status: .serviceUnavailable) } ?? Answer("ok\n")
    }

    private var readiness: Answer {
        let statistics = sampler.statistics()
        let lines = statistics.checks.map { "\($0.name): \($0.reason ?? "ok")\n" }
        return Answer(lines.joined(), status: statistics.isReady ? .ok : .serviceUnavailable)
    }
}
