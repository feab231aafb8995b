import Glibc

/// Files and folders, as far as a database of one's own needs them.
package enum Folder {
    /// Makes a folder and those above it; none of them need be missing.
    package static func make(_ path: String) throws {
        for end in path.indices.dropFirst() where path[end] == "/" { mkdir(String(path[..<end]), 0o755) }
        guard mkdir(path, 0o755) == 0 || isFolder(path) else {
            throw PrivatePostgresError("can't make the folder \(path): \(String(cString: strerror(errno)))")
        }
    }

    /// The path without symbolic links in it; as it was when there is no such thing.
    package static func resolved(_ path: String) -> String {
        guard let whole = realpath(path, nil) else { return path }
        defer { free(whole) }
        return String(cString: whole)
    }

    /// The names in a folder; none when it can't be read.
    package static func names(in path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    /// Whether every folder above `path` can be passed by any user.
    static func isReachableForAll(_ path: String) -> Bool {
        var parent = path[...]
        while let slash = parent.lastIndex(of: "/"), slash > parent.startIndex {
            parent = parent[..<slash]
            var status = stat()
            guard stat(String(parent), &status) == 0, status.st_mode & 0o001 != 0 else { return false }
        }
        return true
    }

    /// Adds a text to a file's end; makes the file if there is none.
    package static func append(_ text: String, to path: String) throws {
        let descriptor = try openToAppend(path)
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw PrivatePostgresError("can't write to \(path)")
        }
    }

    /// A descriptor, not to be inherited, that writes at a file's end; makes the file if there is none.
    package static func openToAppend(_ path: String) throws -> Int32 {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw PrivatePostgresError("can't write to \(path)") }
        return descriptor
    }

    /// Where a symbolic link leads.
    static func target(of link: String) -> String? {
        var bytes = [CChar](repeating: 0, count: 4096)
        let count = readlink(link, &bytes, bytes.count)
        return count < 0 ? nil : String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
