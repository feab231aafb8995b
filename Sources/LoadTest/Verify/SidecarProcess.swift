import Glibc
import Groundwork
import Machine
import PrivateDatabase

/// A `pgsidecar serve` of its own, which ends with this process.
final class SidecarProcess: Sendable {
    let socket: String
    let log: String
    private let process = Groundwork.Mutex<(child: ChildProcess?, failure: String?)>((nil, nil))

    /// Has `program` make what its stream of changes needs in the database that these settings (YAML) name. They are written
    /// to `folder`.
    static func install(_ program: String, settings: String, in folder: String) async throws {
        let file = "\(folder)/install.yaml"
        try Folder.append(settings, to: file)
        _ = try await Program(command: [program, "sql", "install", "--config", file, "--apply"]).run()
    }

    /// Starts `program` with these settings (YAML without `listen`), which are written to `folder`, and waits until clients can
    /// connect.
    init(_ program: String, settings: String, in folder: String) async throws {
        socket = "\(folder)/pgsidecar.sock"
        log = "\(folder)/pgsidecar.log"
        let file = "\(folder)/pgsidecar.yaml"
        try Folder.append("listen: { socket: \(socket) }\n\(settings)", to: file)
        let output = try Folder.openToAppend(log)
        let isStarted = startThread { [self] in
            defer { close(output) }
            // The kernel sends the death signal when the thread ends that started the child: so this one waits for it.
            let command = ["/usr/bin/env", "setpriv", "--pdeathsig", "KILL", "--", program, "serve", "--config", file]
            do {
                let child = try ChildProcess(Program(command: command), output: output)
                process.withLock { $0.child = child }
                _ = child.wait()
            } catch {
                process.withLock { $0.failure = "\(error)" }
            }
        }
        guard isStarted else { throw VerificationError("the system gives no thread") }
        do {
            try await ready()
        } catch {
            await end()
            throw error
        }
    }

    private func ready() async throws {
        let deadline = Instant.now() + .seconds(30)
        while (try? BlockingConnection(socket)) == nil {
            let (child, failure) = process.withLock { ($0.child, $0.failure) }
            let hasEnded = failure != nil || child?.isRunning == false
            guard !hasEnded, Instant.now() < deadline else {
                throw VerificationError("pgsidecar did not start: \(failure ?? (try? textOfFile(log)) ?? "see \(log)")")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    var isRunning: Bool { process.withLock { $0.child?.isRunning ?? false } }

    /// Ends it softly, and hard after ten seconds.
    func end() async {
        guard let child = process.withLock({ $0.child }) else { return }
        child.signal(SIGTERM)
        if await comesTrue(within: .seconds(10), { !child.isRunning }) { return }
        child.signal(SIGKILL)
        await comesTrue(within: .seconds(10)) { !child.isRunning }
    }
}

/// Why a run could not be carried out; not what it found.
public struct VerificationError: Error, CustomStringConvertible, Sendable {
    /// The reason.
    public let description: String

    init(_ description: String) { self.description = description }
}
