import Groundwork
import Testing

@testable import Postgres

/// How long a database that can't be reached is waited for, and what is told of it.
struct ConnectErrorTests {
    private let unresolved =
        "could not translate host name \"same@db\" to address: Temporary failure in name resolution"

    @Test(
        arguments: [
            (nil, .milliseconds(1), 2), (nil, .milliseconds(2001), 3), (nil, .seconds(60), 60),
            ("postgresql:///app?connect_timeout=30", .seconds(5), 30), ("connect_timeout=1", .seconds(5), 2),
            ("connect_timeout=0", .seconds(5), 5), ("connect_timeout=soon", .seconds(5), 5),
        ] as [(String?, Duration, Int)])
    func `answers on a new connection may take as long as the connection itself`(
        url: String?, setting: Duration, seconds: Int
    ) {
        var settings = DatabaseSettings()
        settings.url = url.map { Secret($0) }
        settings.connectTimeout = setting
        #expect(settings.firstAnswersTimeout == .seconds(seconds))
    }

    @Test func `a name service that does not answer is told, without what may be the end of a password`() {
        let text = PQConnection.safeText(unresolved, url: "postgresql://app:se@same@db/app")
        #expect(text == "could not translate the host's name to address: Temporary failure in name resolution")
    }

    @Test func `of several hosts each is told`() {
        let refused = "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs it running?"
        let text = PQConnection.safeText("\(unresolved)\n\(refused)", url: "postgresql://app:se@same@db,127.0.0.1/app")
        #expect(
            text == "could not translate the host's name to address: Temporary failure in name resolution\n\(refused)")
    }

    @Test func `what else libpq says before it reached a server is kept back where there may be a password`() {
        let text = "invalid integer value \"sesame\" for connection option \"port\""
        #expect(!PQConnection.safeText(text, url: "postgresql://app:x:sesame@db/app").contains("sesame"))
        #expect(PQConnection.safeText(text, url: "postgresql:///app?port=sesame") == text)
    }
}
