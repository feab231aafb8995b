import CLinux
import Dispatch
import Glibc
import Groundwork
import Machine

/// A program that is run to its end, and what it printed.
package struct Program: Sendable {
    /// The program's path and its arguments.
    package var command: [String]
    /// Variables beside, or instead of, this process's own.
    package var environment: [String: String] = [:]

    /// A program with its arguments.
    package init(command: [String], environment: [String: String] = [:]) {
        self.command = command
        self.environment = environment
    }

    /// Runs the program with nothing on its standard input. It dies with this process, should that be killed.
    ///
    /// - Returns: What it printed on standard output, without the last line's end.
    /// - Throws: `ProgramFailure` with all that it printed when it ended otherwise than by exit code 0.
    package func run() async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            // A thread of its own, because reading until the program's end blocks.
            DispatchQueue.global().async {
                continuation.resume(with: Result { try runAndWait() })
            }
        }
    }

    private func runAndWait() throws -> String {
        let (output, input) = try openPipe()
        defer { close(output) }
        // The kernel sends the death signal when the *thread* ends that started the child, so this holds only because
        // this very thread waits for it.
        let guarded = Program(
            command: ["/usr/bin/env", "setpriv", "--pdeathsig", "KILL", "--"] + command, environment: environment)
        let process: ChildProcess
        do {
            defer { close(input) }
            process = try ChildProcess(guarded, output: input)
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = read(output, &chunk, chunk.count)
            if count > 0 { bytes += chunk[..<count] } else if count == 0 || errno != EINTR { break }
        }
        let status = process.wait()
        while bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        let text = String(decoding: bytes, as: UTF8.self)
        guard status == 0 else { throw ProgramFailure(program: command.first ?? "", status: status, output: text) }
        return text
    }
}

/// A pipe that no child inherits.
package func openPipe() throws -> (output: Int32, input: Int32) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw PrivatePostgresError("can't make a pipe: errno \(errno)") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
}

/// A program under way. Whoever starts it waits for it, or asks ``isRunning``, so that no zombie stays.
package final class ChildProcess: Sendable {
    /// Its process id.
    let identifier: pid_t
    /// How it ended; nil while it runs.
    private let status = Groundwork.Mutex<Int32?>(nil)

    /// Starts a program: its standard input is `input` or nothing, what it prints goes to `output` or nowhere.
    package init(_ program: Program, input: Int32? = nil, output: Int32? = nil) throws {
        let variables = environmentVariables().merging(program.environment) { _, ours in ours }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if let input {
            posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        }
        if let output {
            posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        } else {
            posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
        }
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        pgs_close_from(&actions, 3)

        // No signal that this process blocks or ignores is blocked or ignored there.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let arguments = program.command.map { strdup($0) } + [nil]
        let environment = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in arguments + environment { free(text) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, program.command[0], &actions, &attributes, arguments, environment)
        guard code == 0 else {
            throw ProgramFailure(
                program: program.command[0], status: code, output: "it can't be started (errno \(code))")
        }
        self.identifier = identifier
    }

    deinit {
        // Nobody will ask any more, and somebody has to take it in.
        if isRunning { _ = startThread { [identifier] in _ = Self.reap(identifier, 0) } }
    }

    /// Whether it has not ended yet.
    package var isRunning: Bool {
        status.withLock { status in
            if status == nil { status = Self.reap(identifier, WNOHANG) }
            return status == nil
        }
    }

    /// Waits for its end: its exit code, or the signal that ended it. Blocks.
    package func wait() -> Int32 {
        // Without taking it in, which is done under the lock.
        var information = siginfo_t()
        while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
        return status.withLock { status in
            if status == nil { status = Self.reap(identifier, 0) }
            return status ?? -1
        }
    }

    /// Sends a signal, unless it has ended.
    package func signal(_ signal: Int32) {
        // Under the lock, so that its id is not another process's by now.
        status.withLock { status in
            if status == nil { status = Self.reap(identifier, WNOHANG) }
            if status == nil { _ = Glibc.kill(identifier, signal) }
        }
    }

    private static func reap(_ identifier: pid_t, _ options: Int32) -> Int32? {
        var word: Int32 = 0
        let result = waitpid(identifier, &word, options)
        if result == 0 || (result < 0 && errno == EINTR) { return nil }
        // The macros of wait(2): the signal in the low seven bits, else the exit code above them.
        let signal = word & 0x7f
        return result < 0 ? -1 : signal != 0 ? signal : (word >> 8) & 0xff
    }
}

/// A program that ended otherwise than well.
package struct ProgramFailure: Error, CustomStringConvertible, Sendable {
    /// The program's path.
    package let program: String
    /// Its exit code, or the signal that ended it.
    package let status: Int32
    /// What it printed on standard output and standard error.
    package let output: String

    /// The program's name and what it said.
    package var description: String {
        "\(program) failed (\(status)): \(output)"
    }
}
