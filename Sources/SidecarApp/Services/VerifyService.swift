import Invalidation
import Logging
import Postgres
import ServiceLifecycle

/// Has some of what is in memory compared with the database, once a second.
struct VerifyService: SidecarService {
    let verifier: MemoryVerifier
    let live: Live
    let changes: ChangeStream

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while true {
                try await Task.sleep(for: .seconds(1))
                await verifier.tick(
                    isTrusted: changes.status.state == .live, isUnderPressure: live.database.status.loadsQueued > 0)
            }
        }
        // One service that ends would end them all.
        try? await gracefulShutdown()
    }
}

extension MemoryVerifier {
    /// What `INFO` says.
    var lines: [(name: String, value: String)] {
        let figures = figures
        return [
            ("verify_checked", "\(figures.checked)"), ("verify_suspected", "\(figures.suspected)"),
            ("verify_mismatches", "\(figures.mismatches)"), ("verify_unanswered", "\(figures.unanswered)"),
            ("verify_skipped", "\(figures.skipped)"),
        ]
    }
}
