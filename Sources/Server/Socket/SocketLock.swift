import EventLoop
import Glibc

/// The right to a socket's path: a lock on `<path>.lock`, which the kernel drops with the process, however that ends.
///
/// The file is removed while the lock is held. So whoever got the lock of a file sees whether it still is the one at the
/// path: else two processes could hold locks on two files of one name.
final class SocketLock: Sendable {
    private let path: String
    private let descriptor: Int32

    /// Takes the lock for a socket at `socket`, without waiting.
    init(for socket: String) throws(ServerError) {
        path = socket + ".lock"
        // Another process may remove the file between two steps; each of these begins anew then.
        for _ in 0..<100 {
            let file = try Self.open(path, for: socket)
            guard let file else { continue }
            guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
                let code = errno
                _ = Glibc.close(file)
                if code == EWOULDBLOCK {
                    throw ServerError(.inUse, "another process serves \(socket) (it holds \(path))")
                }
                throw ServerError(SystemError("flock", code: code), doing: "locking \(path)")
            }
            if FileIdentity(of: file) == FileIdentity(at: path) {
                descriptor = file
                return
            }
            _ = Glibc.close(file)
        }
        throw ServerError(.inUse, "others come and go at \(path)")
    }

    /// Whether the file at the path still is the one that is locked.
    var isInPlace: Bool { FileIdentity(of: descriptor) == FileIdentity(at: path) }

    deinit {
        if isInPlace { unlink(path) }
        _ = close(descriptor)
    }

    /// Opens the file, making it if there is none; nil when it came or went meanwhile. Follows no link and waits for nobody.
    private static func open(_ path: String, for socket: String) throws(ServerError) -> Int32? {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        // A file that is there is opened without O_CREAT, which the kernel refuses for others' files in folders such as
        // /tmp (fs.protected_regular).
        var file = Glibc.open(path, flags)
        if file < 0, errno == ENOENT {
            file = Glibc.open(path, flags | O_CREAT | O_EXCL, 0o600)
            if file < 0, errno == EEXIST { return nil }
        }
        guard file >= 0 else {
            let error = SystemError("open", code: errno)
            switch errno {
            case ELOOP:
                throw ServerError(.badPath, "\(path) is a symbolic link, which is not followed; remove it")
            case EACCES where FileIdentity(at: path) != nil:
                try takeOver(path, of: socket)
                return nil
            case EACCES, EPERM, EROFS:
                throw ServerError(.badPath, "no permission to make \(path); its folder must be writable for pgsidecar")
            case ENOENT, ENOTDIR:
                throw ServerError(.badPath, SocketPath.missingFolder(of: socket) ?? "\(error)")
            default: throw ServerError(error, doing: "locking \(path)")
            }
        }
        guard FileIdentity(of: file)?.isRegular == true else {
            _ = close(file)
            throw ServerError(.badPath, "\(path) is no regular file; remove it")
        }
        return file
    }

    /// Removes the lock file of another user, which can't be opened to see whether it is locked: where nobody listens at the
    /// socket it was left behind.
    private static func takeOver(_ path: String, of socket: String) throws(ServerError) {
        switch SocketPath.probe(socket) {
        case .nobody, .absent: break
        case .somebody: throw ServerError(.inUse, "another user's process serves \(socket) (it holds \(path))")
        case .notASocket: throw ServerError(.notASocket, "\(socket) exists and is not a socket")
        case .unknown(let error): throw ServerError(error, doing: "probing \(socket)")
        }
        guard unlink(path) == 0 || errno == ENOENT else {
            throw ServerError(.inUse, "\(path) belongs to another user and can't be removed; have its owner remove it")
        }
    }
}

/// Which file something is.
struct FileIdentity: Equatable, Sendable {
    private let device: dev_t
    private let inode: ino_t
    private let mode: mode_t

    var isSocket: Bool { mode & S_IFMT == S_IFSOCK }
    var isRegular: Bool { mode & S_IFMT == S_IFREG }

    /// What stands at a path, which may be a link; nil when nothing does.
    init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// What is open.
    init?(of descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
        mode = status.st_mode & S_IFMT
    }
}
