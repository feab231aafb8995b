import Glibc
import Groundwork

/// A process that outlives this one for a moment, to end the private PostgreSQL and remove its folders when this process
/// is gone, however it went.
///
/// It waits for the end of a pipe whose other end only this process holds: the kernel closes it even after `kill -9`.
/// (A parent-death signal would not do for a server: the kernel sends it when the starting *thread* ends.)
final class Reaper: Sendable {
    private let process: ChildProcess
    /// The end that this process holds; -1 when it was let go.
    private let input: Groundwork.Mutex<Int32>

    /// Starts to guard.
    ///
    /// - Parameters:
    ///   - home: The server's folder, without symbolic links in its path. Each process that works in it or in its `data`
    ///     is the server's, or initdb's.
    ///   - folders: What to remove at the end.
    init(home: String, folders: [String]) throws {
        let (output, input) = try openPipe()
        defer { close(output) }
        self.input = Groundwork.Mutex(input)
        do {
            process = try ChildProcess(
                Program(command: ["/bin/sh", "-c", Self.script, "pgsidecar-reaper", home] + folders), input: output)
        } catch {
            close(input)
            throw error
        }
    }

    deinit { letGo() }

    private func letGo() {
        let input = input.withLock { input in
            defer { input = -1 }
            return input
        }
        if input >= 0 { close(input) }
    }

    /// Ends the server if it still runs, removes the folders and waits until both is done.
    func finish() async {
        letGo()
        await comesTrue(within: .seconds(15)) { !self.process.isRunning }
    }

    /// $1 is the home, what follows it is to be removed. A stopped process doesn't take a signal but SIGKILL and
    /// SIGCONT; a server that was asked to shut down fast gets five seconds for it.
    private static let script = """
        trap '' HUP INT TERM
        cat >/dev/null
        home=$1
        shift
        members() {
            for process in /proc/[0-9]*; do
                folder=$(readlink "$process/cwd")
                if [ "$folder" = "$home" ] || [ "$folder" = "$home/data" ]; then echo "${process#/proc/}"; fi
            done
        }
        kill -CONT $(members)
        kill -INT "$(head -n 1 "$home/data/postmaster.pid")"
        round=0
        while [ -n "$(members)" ] && [ $round -lt 50 ]; do sleep 0.1; round=$((round + 1)); done
        kill -KILL $(members)
        round=0
        while ! rm -rf "$@" && [ $round -lt 50 ]; do sleep 0.1; round=$((round + 1)); done
        """
}
