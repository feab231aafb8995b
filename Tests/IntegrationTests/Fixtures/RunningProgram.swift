import Foundation
import Glibc
import Groundwork
import TestSupport
import Testing

/// A program under way, what it printed so far, and how it ended.
final class RunningProgram: Sendable {
    enum End: Equatable, Sendable {
        case code(Int32)
        case signal(Int32)
    }

    private enum State {
        case starting
        case running(pid_t)
        case ended(End)
    }

    private let folder: String
    private let state = Groundwork.Mutex<State>(.starting)

    /// Starts a program with its output going to files in `folder`, which is also where it runs. It is killed should this
    /// process die.
    init(_ command: [String], in folder: String, environment: [String: String] = [:]) throws {
        self.folder = folder
        let output = try Self.file("\(folder)/stdout")
        let errors = try Self.file("\(folder)/stderr")
        let command = ["/usr/bin/env", "--chdir", folder, "setpriv", "--pdeathsig", "KILL", "--"] + command
        // The kernel sends the death signal when the thread ends that started the child: so this one waits for it.
        Thread.detachNewThread { [self] in
            let process = Process()
            process.executableURL = URL(fileURLWithPath: command[0])
            process.arguments = Array(command.dropFirst())
            process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, ours in ours }
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = output
            process.standardError = errors
            do {
                try process.run()
            } catch {
                return state.withLock { $0 = .ended(.code(-1)) }
            }
            state.withLock { $0 = .running(process.processIdentifier) }
            process.waitUntilExit()
            let status = process.terminationStatus
            state.withLock { $0 = .ended(process.terminationReason == .exit ? .code(status) : .signal(status)) }
        }
    }

    private static func file(_ path: String) throws -> FileHandle {
        guard FileManager.default.createFile(atPath: path, contents: nil) else { throw Failure("can't write \(path)") }
        return try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    }

    var isRunning: Bool {
        state.withLock {
            switch $0 {
            case .starting, .running: true
            case .ended: false
            }
        }
    }

    /// What it printed on standard output.
    var output: String { (try? String(contentsOfFile: "\(folder)/stdout", encoding: .utf8)) ?? "" }
    /// What it printed on standard error.
    var errors: String { (try? String(contentsOfFile: "\(folder)/stderr", encoding: .utf8)) ?? "" }

    /// Nil before it started and after its end.
    var processIdentifier: pid_t? {
        state.withLock {
            switch $0 {
            case .running(let process): process
            case .starting, .ended: nil
            }
        }
    }

    /// Sends a signal, unless it has ended.
    func signal(_ signal: Int32) {
        state.withLock {
            if case .running(let process) = $0 { _ = kill(process, signal) }
        }
    }

    /// Waits until it has ended; nil when it doesn't.
    func end(within limit: Duration = .seconds(120)) async -> End? {
        guard await eventually(within: limit, { !self.isRunning }) else { return nil }
        return state.withLock {
            if case .ended(let end) = $0 { end } else { nil }
        }
    }

    /// What the thread sanitizer says, it says on standard error.
    func expectNoRaces() {
        let errors = errors
        #expect(!errors.contains("ThreadSanitizer"), "\(errors)")
    }
}

/// The executable that was built with these tests: it stands beside them.
let pgsidecarPath =
    (Bundle.main.executableURL ?? URL(fileURLWithPath: CommandLine.arguments[0])).deletingLastPathComponent()
    .appendingPathComponent("pgsidecar").path
