import Dispatch
import Foundation

/// A program that is run to its end, and what it printed.
struct Program: Sendable {
    /// The program's path and its arguments.
    var command: [String]
    /// Variables beside, or instead of, this process's own.
    var environment: [String: String] = [:]

    /// Runs the program with nothing on its standard input. It dies with this process, should that be killed.
    ///
    /// - Returns: What it printed on standard output, without the last line's end.
    /// - Throws: `ProgramFailure` with all that it printed when it ended otherwise than by exit code 0.
    func run() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            // A thread of its own, because reading until the program's end blocks.
            DispatchQueue.global().async {
                continuation.resume(with: Result { try runAndWait() })
            }
        }
    }

    private func runAndWait() throws -> String {
        // The kernel sends the death signal when the *thread* ends that started the child, so this holds only because
        // this very thread waits for it.
        let process = makeProcess(command: ["/usr/bin/env", "setpriv", "--pdeathsig", "KILL", "--"] + command)
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let bytes = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let text = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
        guard process.terminationReason == .exit, process.terminationStatus == 0 else {
            throw ProgramFailure(program: command.first ?? "", status: process.terminationStatus, output: text)
        }
        return text
    }

    /// A process that was not started yet, with this program's environment.
    func makeProcess(command: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: command.first ?? "")
        process.arguments = Array(command.dropFirst())
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { _, ours in ours }
        return process
    }
}

/// A program that ended otherwise than well.
public struct ProgramFailure: Error, CustomStringConvertible, Sendable {
    /// The program's path.
    public let program: String
    /// Its exit code, or the signal that ended it.
    public let status: Int32
    /// What it printed on standard output and standard error.
    public let output: String

    /// The program's name and what it said.
    public var description: String {
        "\(program) failed (\(status)): \(output)"
    }
}
