import Foundation

/// The repository's folder.
package let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

/// A path under /tmp that nothing else uses, short enough for a Unix socket in a folder there.
package func temporaryPath() -> String {
    "/tmp/pgsidecar-test-\(UUID().uuidString.prefix(8))"
}
