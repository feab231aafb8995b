import Logging
import ServiceLifecycle

/// Reads the settings anew at each SIGHUP. Several that come while they are being read are one.
struct ReloadService: SidecarService {
    let reloader: Reloader
    let hangups: AsyncStream<Void>

    func run() async throws {
        await cancelWhenGracefulShutdown {
            for await _ in hangups { await reloader.reload() }
        }
        try? await gracefulShutdown()
        await reloader.end()
    }
}
