import Glibc

/// Why a file could not be read, in a few words that fit after "can't read FILE: ".
package struct UnreadableFile: Error {
    /// The words.
    package let reason: String
}

/// More than any settings or query need. What goes on without end, such as a device, is found by it.
private let mostBytes = 16 << 20

/// The text of a file.
package func textOfFile(_ path: String) throws(UnreadableFile) -> String {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw UnreadableFile(errno: errno) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
        let count = read(descriptor, &chunk, chunk.count)
        if count == 0 { break }
        if count > 0 { bytes += chunk[..<count] } else if errno != EINTR { throw UnreadableFile(errno: errno) }
        guard bytes.count <= mostBytes else { throw UnreadableFile(reason: "it has more than \(mostBytes >> 20) MiB") }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
        throw UnreadableFile(reason: "it is not UTF-8 text")
    }
    return text
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
