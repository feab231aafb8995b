import ArgumentParser
import Foundation
import Logging
import SidecarApp

/// Runs a command; an error goes to standard error in its own words, and the exit code says its kind (sysexits.h).
func reportingErrors(_ body: () async throws -> Void) async throws {
    do {
        try await body()
    } catch {
        FileHandle.standardError.write(Data("\(error)\n".utf8))
        throw exitCode(for: error)
    }
}

/// The exit code for an error: 78 `EX_CONFIG`, 69 `EX_UNAVAILABLE`, otherwise 1.
private func exitCode(for error: any Error) -> ExitCode {
    switch error {
    case is SettingsError: return ExitCode(EX_CONFIG)
    case let error as StartupError:
        switch error.code {
        case .queryRefused: return ExitCode(EX_CONFIG)
        case .databaseUnreachable: return ExitCode(EX_UNAVAILABLE)
        case .socketUnavailable, .demoTablesMissing, .demoFilesMissing, .systemRefuses: return .failure
        }
    default: return .failure
    }
}

/// A logger to standard error.
@Sendable func standardErrorLogger(_ level: Logger.Level) -> Logger {
    var logger = Logger(label: "pgsidecar") { StreamLogHandler.standardError(label: $0) }
    logger.logLevel = level
    return logger
}
