import Invalidation
import ServiceLifecycle

/// Hears of changes until nobody is served any more.
struct ChangeStreamService: SidecarService {
    let changes: ChangeStream

    func run() async throws {
        try? await gracefulShutdown()
        await changes.stop()
    }
}
