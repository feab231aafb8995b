import Invalidation

/// Whether changes are heard of when it is tried, as the sidecar will do it.
enum StreamCheck {
    static func findings(_ settings: Settings) async -> [Finding] {
        do {
            guard let status = try await Sidecar.streamStatus(settings) else { return [] }
            return [
                status.state == .suspect
                    ? .fail("nobody tells of changes: \(status.lastLoss ?? "no answer")") : .ok("changes are heard of")
            ]
        } catch {
            return [.fail("can't be tried: \(error)")]
        }
    }
}
