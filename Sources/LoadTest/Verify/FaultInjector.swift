import Groundwork
import Postgres
import PrivateDatabase

/// Breaks one thing after the other, in turn: connections of each kind, and now and then the whole server.
struct FaultInjector {
    /// What may be broken.
    enum Fault: CaseIterable, Sendable {
        /// The connection that listens, or the stream of the log.
        case stream
        /// The connections that load.
        case loads
        /// The writers' connections, in the middle of what they do.
        case writers
        /// Every process of the server, at once, as a crash would; and then it is started again.
        case crash
        /// The server stands still for a while, and every connection stays open.
        case freeze
    }

    let postgres: PrivatePostgres
    let url: Secret
    private(set) var counts: [Fault: Int] = [:]

    init(_ postgres: PrivatePostgres, url: Secret) {
        self.postgres = postgres
        self.url = url
    }

    mutating func inject(_ fault: Fault) async throws {
        counts[fault, default: 0] += 1
        switch fault {
        case .stream:
            cut(
                "application_name like '% listen' or backend_type = 'walsender' or application_name like '% replication'"
            )
        case .loads:
            // Builds that do not say what a connection is for call them all pgsidecar.
            cut("application_name like '% load' or application_name = 'pgsidecar'")
        case .writers: cut("application_name = 'pgsidecar writer'")
        case .crash:
            await postgres.kill()
            try await postgres.start()
        case .freeze:
            await postgres.suspend()
            try? await Task.sleep(for: .milliseconds(700))
            await postgres.resume()
        }
    }

    /// A server that does not answer has nothing to cut.
    private func cut(_ which: String) {
        guard let session = try? SQLSession(url: url, name: "pgsidecar faults") else { return }
        _ = try? session.run("select pg_terminate_backend(pid) from pg_stat_activity where \(which)")
    }
}
