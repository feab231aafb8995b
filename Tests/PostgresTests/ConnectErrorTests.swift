import Testing

@testable import Postgres

/// What is told of a database that can't be reached.
struct ConnectErrorTests {
    private let unresolved =
        "could not translate host name \"same@db\" to address: Temporary failure in name resolution"

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
