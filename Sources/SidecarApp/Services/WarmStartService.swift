import ServiceLifecycle

/// Loads the recent keys of the run before, and saves those of this one, now and then and at the end.
struct WarmStartService: SidecarService {
    let warmStart: WarmStart
    let live: Live

    func run() async throws {
        try? await cancelWhenGracefulShutdown {
            try await warmStart.load()
            live.warmStartEnded()
            while true {
                try await Task.sleep(for: live.settings.warmStart.interval)
                await warmStart.save()
            }
        }
        // One service that ends would end them all.
        try? await gracefulShutdown()
        // What was not loaded yet is hot all the same.
        if live.isWarm { await warmStart.save() }
    }
}
