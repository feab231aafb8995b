import Postgres
import ServiceLifecycle

/// Keeps the database's connections until everything that stands on them has ended.
struct DatabaseService: SidecarService {
    let database: Database

    func run() async throws {
        try? await gracefulShutdown()
        await database.stop()
    }
}
