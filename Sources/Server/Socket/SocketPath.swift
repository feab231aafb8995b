import CLinux
import EventLoop
import Glibc
import Machine

/// A path that this process listens at, and nobody else.
///
/// A ``SocketLock`` decides who may have the path. So a path left behind by a crash is taken over, and one that is in use is
/// left alone.
final class SocketPath: Sendable {
    /// The listening descriptor, non-blocking. Owned by this object until ``close()``.
    let descriptor: Int32
    private let path: String
    /// Held as long as this object lives.
    private let lock: SocketLock
    /// Which file the path was when it was bound, so that no other is ever removed.
    private let identity: FileIdentity

    /// Binds the path of `settings` and listens there. Nobody can connect before mode and group are set: until listen(2)
    /// the kernel refuses.
    init(_ settings: ServerSettings, _ lock: SocketLock) throws(ServerError) {
        self.lock = lock
        path = settings.socket
        try Self.removeStale(path)
        (descriptor, identity) = try Self.bind(path, settings)
    }

    /// Whether the path still is the file that was bound.
    var isInPlace: Bool { FileIdentity(at: path) == identity }

    /// Binds the path again, after somebody removed it. The lock is kept if its file is there; else it is taken again,
    /// since another process may have the new one. This object is to be closed, the new one takes its place.
    func renewed(_ settings: ServerSettings) throws(ServerError) -> SocketPath {
        try SocketPath(settings, lock.isInPlace ? lock : Self.lock(settings))
    }

    /// The same, with the lock taken here.
    convenience init(_ settings: ServerSettings) throws(ServerError) {
        try self.init(settings, Self.lock(settings))
    }

    /// The lock for the path of `settings`, if the kernel can take that as an address.
    static func lock(_ settings: ServerSettings) throws(ServerError) -> SocketLock {
        let path = settings.socket
        let length = path.utf8.count
        guard length > 0 else { throw ServerError(.badPath, "the socket's path is empty") }
        guard length <= Self.longestPath else {
            throw ServerError(
                .badPath, "the socket's path has \(length) bytes; the kernel takes \(Self.longestPath): \(path)")
        }
        return try SocketLock(for: path)
    }

    /// sun_path with its NUL.
    static let longestPath = 107

    /// What to say when the folder of a socket's path is missing; nil when it is there.
    static func missingFolder(of path: String) -> String? {
        let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        var status = stat()
        guard !folder.isEmpty, stat(folder, &status) != 0 || status.st_mode & S_IFMT != S_IFDIR else { return nil }
        return "the folder \(folder) does not exist; make it, or have systemd make it (RuntimeDirectory=)"
    }

    /// Removes the path if it is still the one that was bound: nobody else can connect then.
    func remove() {
        if isInPlace { unlink(path) }
    }

    /// Stops listening and removes the path. To be called once; the descriptor is deregistered before.
    func close() {
        _ = Glibc.close(descriptor)
        remove()
    }

    /// Who listens at a path.
    enum Probe {
        case absent
        case notASocket
        case nobody
        case somebody
        case unknown(SystemError)
    }

    /// Asks without waiting: a program that accepts nobody has its queue full for ever.
    static func probe(_ path: String) -> Probe {
        guard let file = FileIdentity(at: path) else { return .absent }
        guard file.isSocket else { return .notASocket }
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let probe = socket(AF_UNIX, type, 0)
        guard probe >= 0 else { return .unknown(SystemError("socket", code: errno)) }
        defer { _ = Glibc.close(probe) }
        if UnixAddress.connect(probe, to: path) == 0 { return .somebody }
        switch errno {
        case ECONNREFUSED: return .nobody
        case ENOENT: return .absent
        // A queue that is full; a socket of another type.
        case EAGAIN, EPROTOTYPE: return .somebody
        // Who may not connect is told so before the kernel looks whether anybody listens; its table says that to all.
        case EACCES: return isListenedAt(file, path) ? .somebody : .nobody
        case let code: return .unknown(SystemError("connect", code: code))
        }
    }

    /// Whether the kernel's table of Unix sockets has a listener at a file (proc(5), /proc/net/unix). One that was bound to a
    /// relative path could be anywhere, so it counts if it has the file's name; so does all that can't be seen.
    private static func isListenedAt(_ file: FileIdentity, _ ours: String) -> Bool {
        guard let table = fopen("/proc/net/unix", "re") else { return true }
        defer { fclose(table) }
        var line = [CChar](repeating: 0, count: 512)
        while fgets(&line, Int32(line.count), table) != nil {
            // Address: references protocol flags type state inode path; bit 16 of the flags: it listens.
            let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let fields = text.dropLast().split(separator: " ", maxSplits: 7)
            guard fields.count == 8, let flags = UInt32(fields[3], radix: 16), flags & 0x10000 != 0 else { continue }
            let path = String(fields[7])
            if path.hasPrefix("@") { continue }
            if path.hasPrefix("/") ? FileIdentity(at: path) == file : name(path) == name(ours) { return true }
        }
        return false
    }

    private static func name(_ path: String) -> Substring {
        path.split(separator: "/").last ?? ""
    }

    /// Removes a socket that nobody listens at. With the lock held it is none of ours, but another program may listen.
    private static func removeStale(_ path: String) throws(ServerError) {
        switch probe(path) {
        case .absent: return
        case .notASocket: throw ServerError(.notASocket, "\(path) exists and is not a socket")
        case .somebody: throw ServerError(.inUse, "another program listens at \(path)")
        case .unknown(let error): throw ServerError(error, doing: "probing \(path)")
        case .nobody: break
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
        pgs_take_bytes_alone(descriptor)
        do throws(ServerError) {
            guard UnixAddress.bind(descriptor, to: path) == 0 else {
                throw ServerError(SystemError("bind", code: errno), doing: "binding \(path)")
            }
            if let group = settings.group { try own(path, by: group) }
            guard chmod(path, settings.mode) == 0 else {
                throw ServerError(SystemError("chmod", code: errno), doing: "setting the mode of \(path)")
            }
            guard let identity = FileIdentity(at: path) else {
                throw ServerError(SystemError("lstat", code: errno), doing: "binding \(path)")
            }
            guard listen(descriptor, SOMAXCONN) == 0 else {
                throw ServerError(SystemError("listen", code: errno), doing: "listening at \(path)")
            }
            return (descriptor, identity)
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
}
