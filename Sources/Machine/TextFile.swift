import Glibc

/// Why a file could not be read, in a few words that fit after "can't read FILE: ".
package struct UnreadableFile: Error {
    /// The words.
    package let reason: String
}

/// More than any settings or query need. What goes on without end, such as a device, is found by it.
private let mostBytes = 16 << 20

/// How long what is no plain file is waited for.
private let patience: Int32 = 5000

/// The text of a file, which may be a pipe that somebody writes to, such as a shell's `<(...)`.
package func textOfFile(_ path: String) throws(UnreadableFile) -> String {
    // Not waiting for somebody to open the other end of a pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw UnreadableFile(errno: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count == 0 { break }
        if count > 0 {
            bytes += chunk[..<count]
        } else if errno == EAGAIN {
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&waiting, 1, patience) == 0 {
                throw UnreadableFile(reason: "nothing came out of it for \(patience / 1000) s")
            }
        } else if errno != EINTR {
            throw UnreadableFile(errno: errno)
        }
        guard bytes.count <= mostBytes else { throw UnreadableFile(reason: "it has more than \(mostBytes >> 20) MiB") }
    }
    if bytes.isEmpty, isPipe(descriptor) { throw UnreadableFile(reason: "it is a pipe that nobody writes to") }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw UnreadableFile(reason: "it is not UTF-8 text")
    }
    return text
}

private func isPipe(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO
}

extension UnreadableFile {
    fileprivate init(errno code: Int32) {
        switch code {
        case ENOENT, ENOTDIR: reason = "there is no such file"
        case EACCES, EPERM: reason = "no permission"
        case EISDIR: reason = "it is a folder"
        default: reason = "it is not a readable file"
        }
    }
}
