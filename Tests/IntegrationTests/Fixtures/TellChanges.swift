import Foundation
import PrivateDatabase
import TestSupport

/// Has the changes of the tables told that these settings name: by `pgsidecar sql install --apply`.
func tellChanges(by settings: String, _ options: String...) async throws {
    let file = temporaryPath()
    try settings.write(toFile: file, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: file) }
    let command = [pgsidecarPath, "sql", "install", "--apply", "--config", file]
    _ = try await Program(command: command + options).run()
}
