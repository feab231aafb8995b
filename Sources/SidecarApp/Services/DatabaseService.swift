import Postgres
import ServiceLifecycle

/// Keeps the database's connections until everything that stands on them has ended.
struct DatabaseService: SidecarService {
    let live: Live

    func run() async throws {
        try? await gracefulShutdown()
        await live.state.retiring?.stop()
        await live.database.stop()
    }
}
