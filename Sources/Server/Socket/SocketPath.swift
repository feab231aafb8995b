import CLinux
import EventLoop
import Glibc

/// A path that this process listens at, and nobody else.
///
/// The lock on `<path>.lock` decides who may have the path; the kernel drops it with the process, however that ends. So a
/// path left behind by a crash is taken over, and one that is in use is left alone. The lock's file stays: to remove it
/// would let two processes hold locks on two files of one name.
final class SocketPath: Sendable {
    /// The listening descriptor, non-blocking. Owned by this object until ``close()``.
    let descriptor: Int32
    private let path: String
    private let lock: Int32
    /// Which file the path was when it was bound, so that no other is ever removed.
    private let identity: FileIdentity

    private struct FileIdentity: Equatable, Sendable {
        let device: dev_t
        let inode: ino_t
    }

    /// Binds the path of `settings` and listens there. Nobody can connect before mode and group are set: until listen(2)
    /// the kernel refuses.
    init(_ settings: ServerSettings) throws(ServerError) {
        path = settings.socket
        let length = path.utf8.count
        guard length > 0 else { throw ServerError(.badPath, "the socket's path is empty") }
        guard length <= Self.longestPath else {
            throw ServerError(
                .badPath, "the socket's path has \(length) bytes; the kernel takes \(Self.longestPath): \(path)")
        }
        lock = try Self.lock(path)
        do throws(ServerError) {
            try Self.removeStale(path)
            (descriptor, identity) = try Self.bind(path, settings)
        } catch {
            _ = Glibc.close(lock)
            throw error
        }
    }

    /// sun_path with its NUL.
    static let longestPath = 107

    /// Stops listening, removes the path if it is still the one that was bound, and lets go of the lock.
    /// To be called once; the descriptor is deregistered before.
    func close() {
        _ = Glibc.close(descriptor)
        if Self.identity(of: path)?.identity == identity { unlink(path) }
        _ = Glibc.close(lock)
    }

    private static func lock(_ path: String) throws(ServerError) -> Int32 {
        let lockPath = path + ".lock"
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw ServerError(SystemError("open", code: errno), doing: "locking \(lockPath)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            _ = Glibc.close(descriptor)
            if code == EWOULDBLOCK {
                throw ServerError(.inUse, "another process serves \(path) (it holds \(lockPath))")
            }
            throw ServerError(SystemError("flock", code: code), doing: "locking \(lockPath)")
        }
        return descriptor
    }

    /// Removes a socket that nobody listens at. With the lock held it is none of ours, but another program may listen.
    private static func removeStale(_ path: String) throws(ServerError) {
        guard let file = identity(of: path) else { return }
        guard file.isSocket else { throw ServerError(.notASocket, "\(path) exists and is not a socket") }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard probe >= 0 else { throw ServerError(SystemError("socket", code: errno), doing: "probing \(path)") }
        defer { _ = Glibc.close(probe) }
        if UnixAddress.connect(probe, to: path) == 0 {
            throw ServerError(.inUse, "another program listens at \(path)")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ServerError(SystemError("unlink", code: errno), doing: "removing the stale \(path)")
        }
    }

    private static func bind(
        _ path: String, _ settings: ServerSettings
    ) throws(ServerError) -> (Int32, FileIdentity) {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(AF_UNIX, type, 0)
        guard descriptor >= 0 else { throw ServerError(SystemError("socket", code: errno), doing: "listening") }
        do throws(ServerError) {
            guard UnixAddress.bind(descriptor, to: path) == 0 else {
                throw ServerError(SystemError("bind", code: errno), doing: "binding \(path)")
            }
            if let group = settings.group { try own(path, by: group) }
            guard chmod(path, settings.mode) == 0 else {
                throw ServerError(SystemError("chmod", code: errno), doing: "setting the mode of \(path)")
            }
            guard let file = identity(of: path) else {
                throw ServerError(SystemError("lstat", code: errno), doing: "binding \(path)")
            }
            guard listen(descriptor, SOMAXCONN) == 0 else {
                throw ServerError(SystemError("listen", code: errno), doing: "listening at \(path)")
            }
            return (descriptor, file.identity)
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
    }

    private static func own(_ path: String, by group: gid_t) throws(ServerError) {
        guard chown(path, uid_t.max, group) == 0 else {
            throw ServerError(SystemError("chown", code: errno), doing: "giving \(path) to the group \(group)")
        }
    }

    private static func identity(of path: String) -> (identity: FileIdentity, isSocket: Bool)? {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        return (FileIdentity(device: status.st_dev, inode: status.st_ino), status.st_mode & S_IFMT == S_IFSOCK)
    }
}
