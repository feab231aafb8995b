import ArgumentParser
import Glibc
import LoadTest
import SidecarApp

/// Runs a command; an error goes to standard error in its own words, and the exit code says its kind (sysexits.h).
func reportingErrors(_ body: () async throws -> Void) async throws {
    // A reader that went away is an error of the call that writes to it, not a signal.
    signal(SIGPIPE, SIG_IGN)
    do {
        try await body()
    } catch let code as ExitCode {
        throw code
    } catch {
        show("\(error)", on: STDERR_FILENO)
        throw exitCode(for: error)
    }
}

/// Runs with a log, which is written to its end before this returns or throws.
func logging(_ settings: Settings.Log, _ body: (LogWriter) async throws -> Void) async throws {
    let log = LogWriter(settings)
    defer { log.finish() }
    try await body(log)
}

/// The exit code for an error: 78 `EX_CONFIG`, 69 `EX_UNAVAILABLE`, otherwise 1.
private func exitCode(for error: any Error) -> ExitCode {
    switch error {
    case is SettingsError: return ExitCode(EX_CONFIG)
    case let error as StartupError:
        switch error.code {
        case .queryRefused, .changesUnheard, .sourceNotReady: return ExitCode(EX_CONFIG)
        case .databaseUnreachable: return ExitCode(EX_UNAVAILABLE)
        case .socketUnavailable, .demoTablesMissing, .demoFilesMissing, .systemRefuses: return .failure
        }
    case let error as BenchError:
        switch error.code {
        case .unavailable: return ExitCode(EX_UNAVAILABLE)
        case .unsuitable: return ExitCode(EX_USAGE)
        }
    default: return .failure
    }
}

/// Writes a line at once, also when that is a pipe. Gives up when nobody reads it for a second.
@Sendable func show(_ line: String, on descriptor: Int32 = STDOUT_FILENO) {
    var rest = Array("\(line)\n".utf8)[...]
    while !rest.isEmpty {
        var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&wait, 1, 1000) > 0 else { return }
        // So much fits into a pipe that can be written to.
        let count = rest.prefix(Int(PIPE_BUF)).withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 || errno == EINTR else { return }
        rest = rest.dropFirst(max(0, count))
    }
}
