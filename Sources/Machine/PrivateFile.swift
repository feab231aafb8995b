import Glibc

/// A file of this process's own, which nobody else may read. What it has is replaced as a whole, or not at all.
package struct PrivateFile: Sendable {
    /// Where it is.
    package let path: String

    /// The file at a path.
    package init(_ path: String) {
        self.path = path
    }

    /// What it has; nil when there is none.
    package func read(atMost limit: Int) throws(PrivateFileError) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw PrivateFileError("can't read \(path)", errno)
        }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 256 << 10)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return bytes }
            if count < 0 {
                if errno == EINTR { continue }
                throw PrivateFileError("can't read \(path)", errno)
            }
            bytes += chunk[..<count]
            guard bytes.count <= limit else { throw PrivateFileError("\(path) has more than \(limit >> 20) MiB", nil) }
        }
    }

    /// Writes a new file beside it, with mode 0600, and puts that in its place when all of it is on the disk.
    package func replace(by bytes: [UInt8]) throws(PrivateFileError) {
        let new = path + ".new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PrivateFileError("can't write \(new)", errno) }
        let isWritten = writeAll(bytes, to: descriptor) && fsync(descriptor) == 0
        let code = errno
        close(descriptor)
        guard isWritten else {
            unlink(new)
            throw PrivateFileError("can't write \(new)", code)
        }
        guard rename(new, path) == 0 else { throw PrivateFileError("can't replace \(path)", errno) }
    }
}

/// Why a file could not be read or written.
package struct PrivateFileError: Error, CustomStringConvertible {
    /// The reason.
    package let description: String

    init(_ what: String, _ code: Int32?) {
        description = code.map { "\(what): \(String(cString: strerror($0)))" } ?? what
    }
}
