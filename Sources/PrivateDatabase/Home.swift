import Glibc
import Machine

/// Where a private PostgreSQL lives: the folder that was asked for, or a short one under /tmp.
struct Home {
    /// The folder, without symbolic links in its path.
    let path: String
    /// What is to be removed at the end.
    let folders: [String]

    /// Makes the folder and gives it to the user that the server will run as.
    init(at folder: String) throws {
        try Folder.make(folder)
        let asked = Folder.resolved(folder)
        // The folder will be removed, so nothing else may stand in it.
        guard Folder.names(in: asked).isEmpty else {
            throw PrivatePostgresError("\(asked) is not empty; a private PostgreSQL needs a folder of its own")
        }
        if Self.socketFits(in: asked), geteuid() != 0 || Folder.isReachableForAll(asked) {
            path = asked
            folders = [asked]
        } else {
            path = try Self.makeTemporaryFolder()
            folders = [asked, path]
        }
        try Folder.append("", to: "\(path)/postgres.log")
        if let owner = try Self.serverUser() {
            for owned in [path, "\(path)/postgres.log"] {
                guard chown(owned, owner.user, owner.group) == 0 else {
                    throw PrivatePostgresError("can't give \(owned) to the user postgres")
                }
            }
        }
    }

    /// A command that is run in a folder, by the server's user when this process is root.
    static func commandAsServerUser(_ command: [String], in folder: String) -> [String] {
        let inFolder = ["/usr/bin/env", "--chdir", folder]
        guard geteuid() == 0 else { return inFolder + command }
        return inFolder + ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] + command
    }

    /// The user that the server runs as; nil when it is this process's own.
    private static func serverUser() throws -> (user: UInt32, group: UInt32)? {
        guard geteuid() == 0 else { return nil }
        guard let user = userIdentifier(named: "postgres"), let group = groupIdentifier(named: "postgres") else {
            throw PrivatePostgresError(
                "PostgreSQL does not run as root, and there is no user 'postgres' to run it as; "
                    + "run this as another user, or install Debian's package postgresql, which brings that user")
        }
        return (user, group)
    }

    /// `sockaddr_un` has 108 bytes for a path and the NUL after it.
    private static func socketFits(in folder: String) -> Bool {
        "\(folder)/.s.PGSQL.5432.lock".utf8.count <= 107
    }

    private static func makeTemporaryFolder() throws -> String {
        var template = Array("/tmp/pgsidecar-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw PrivatePostgresError("can't make a folder under /tmp: \(String(cString: strerror(errno)))")
        }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
