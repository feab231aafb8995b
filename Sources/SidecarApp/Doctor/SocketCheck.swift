import Glibc
import Server

/// Whether a server can be started at the socket's path, and who can reach it there.
enum SocketCheck {
    static func findings(_ settings: Settings) -> [Finding] {
        let path = settings.listen.socket
        let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        var status = stat()
        guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            return [
                .fail(
                    "the folder \(folder) does not exist (systemd makes it with RuntimeDirectory=)",
                    .run("install -d -m 0755 \(quoted(folder))"))
            ]
        }
        let standing = Server.standing(atPath: path)
        let findings = obstacles(standing, path) + owner(of: folder, status) + clients(settings.listen, folder, status)
        guard findings.isEmpty else { return findings }
        let state = standing == .listened ? "a program listens there" : "can be made, nobody listens there"
        return [.ok("\(path): \(state), mode \(octal(settings.listen.mode))")]
    }

    /// What stands in the socket's way.
    private static func obstacles(_ standing: SocketStanding, _ path: String) -> [Finding] {
        switch standing {
        case .free, .listened: []
        case .notASocket:
            [.fail("\(path) exists and is no socket", .run("mv \(quoted(path)) \(quoted(path + ".old"))"))]
        case .unknown(let why): [.warn("\(path): can't be looked at: \(why)")]
        }
    }

    /// Whether we can make the socket there, and others can't.
    private static func owner(of folder: String, _ status: stat) -> [Finding] {
        var findings: [Finding] = []
        if access(folder, W_OK | X_OK) != 0 {
            findings.append(
                .fail(
                    "\(folder) is not writable for user \(geteuid()), so the socket can't be made there",
                    .run("chown \(geteuid()) \(quoted(folder)) && chmod u+wx \(quoted(folder))")))
        }
        if status.st_mode & 0o002 != 0, status.st_mode & S_ISVTX == 0 {
            findings.append(
                .fail(
                    "everybody may write to \(folder), and so put a socket of his own in the place of this one",
                    .run("chmod o-w \(quoted(folder))")))
        }
        return findings
    }

    /// Whether those whom the socket's mode lets in are meant, and can pass its folder.
    private static func clients(_ listen: ServerSettings, _ folder: String, _ status: stat) -> [Finding] {
        var findings: [Finding] = []
        if listen.mode & 0o002 != 0, listen.password == nil, listen.allowedUsers == nil {
            findings.append(
                .warn("every user of this machine may connect and ask everything", .set("listen.mode: \"0660\"")))
        }
        let isOwnGroup = (listen.group ?? getegid()) == status.st_gid
        let groupsBit: mode_t = isOwnGroup ? 0o010 : 0o001
        if listen.mode & 0o020 != 0, status.st_mode & groupsBit == 0 {
            findings.append(
                .warn(
                    "clients of the socket's group may connect, and can't pass its folder \(folder)",
                    .run("chmod \(isOwnGroup ? "g" : "o")+x \(quoted(folder))")))
        } else if listen.mode & 0o002 != 0, status.st_mode & 0o001 == 0 {
            findings.append(
                .warn(
                    "everybody may connect, and can't pass the socket's folder \(folder)",
                    .run("chmod o+x \(quoted(folder))")))
        }
        return findings
    }

    private static func octal(_ mode: mode_t) -> String { "0" + String(mode, radix: 8) }

    /// For a shell.
    private static func quoted(_ path: String) -> String { ShellText.quoted(path) }
}
