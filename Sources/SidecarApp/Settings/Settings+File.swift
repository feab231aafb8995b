import Admin
import CacheCore
import Machine
import Server
import YAML

extension Settings {
    /// Reads a settings file.
    ///
    /// - Parameters:
    ///   - path: The file. Query files in it are relative to its folder.
    ///   - environment: Where `${NAME}` in values comes from.
    /// - Throws: Every mistake with its line, in one error.
    public static func load(
        from path: String, environment: [String: String]
    ) throws(SettingsError) -> Settings {
        let text: String
        do {
            text = try textOfFile(path)
        } catch {
            let message = "can't read the settings file: \(error.reason)"
            throw SettingsError(file: path, mistakes: [Mistake(message: message)])
        }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        return try parse(text, file: path, folder: folder, environment: environment)
    }

    /// Reads the text of a settings file.
    ///
    /// - Parameters:
    ///   - text: YAML.
    ///   - file: What mistakes call it.
    ///   - folder: What query files are relative to: a path that ends with a slash, or nothing for the current folder.
    ///   - environment: Where `${NAME}` in values comes from.
    /// - Throws: Every mistake with its line, in one error.
    public static func parse(
        _ text: String, file: String, folder: String, environment: [String: String]
    ) throws(SettingsError) -> Settings {
        let root: Node?
        do {
            root = try Node.parse(text)
        } catch {
            throw SettingsError(file: file, mistakes: [Mistake(error)])
        }
        var settings = Settings()
        var reader = SettingsReader(of: text, file: file, folder: folder, environment: environment)
        if let root {
            reader.section(root, "", into: &settings, keys)
        }
        if reader.marks["groups"] == nil {
            reader.note("groups: needs at least one group, with its 'query' or 'sql'", at: root?.mark)
        }
        settings.checkTogether(&reader)
        settings.checkInvalidation(&reader)
        guard reader.mistakes.isEmpty else { throw SettingsError(file: file, mistakes: reader.mistakes) }
        return settings
    }

    /// The rules that more than one setting takes part in.
    private func checkTogether(_ reader: inout SettingsReader) {
        for (group, path) in [(defaults, "defaults")] + groups.map({ ($0, "groups.\($0.name)") }) {
            if group.rules.memory > memory, reader.marks["\(path).memory"] != nil {
                let whole = ByteUnit.all.text(memory)
                reader.note("\(path).memory", "is more than 'memory', which is \(whole) for all groups together")
            }
            let isOwn = ["refresh_after", "ttl"].contains { reader.marks["\(path).\($0)"] != nil }
            if isOwn, let ttl = group.rules.timeToLive, let refresh = group.rules.refreshAfter, refresh >= ttl {
                let key = reader.marks["\(path).refresh_after"] != nil ? "refresh_after" : "ttl"
                reader.note("\(path).\(key)", "refresh_after must be less than ttl, or no entry lives to see it")
            }
        }
    }
}

extension Settings {
    /// What may be meant so and may be a mistake, as far as it can be seen without starting.
    public var notes: [String] {
        (Server.missingFolder(of: listen.socket).map { ["listen.socket: \($0)"] } ?? []) + invalidationNotes
            + adminNotes
    }

    /// Who else than this machine's users may ask.
    private var adminNotes: [String] {
        guard case .tcp(let host, _)? = admin.listen, host != "::1", host != "localhost", !host.hasPrefix("127.") else {
            return []
        }
        return ["admin.listen: whoever reaches \(host) over the network is told figures, and is not asked who he is"]
    }
}

extension Mistake {
    /// What the YAML parser says, where it says it.
    init(_ error: YAMLError) {
        let hint = Self.yamlHints.first { error.problem.contains($0.problem) }.map { "; \($0.hint)" } ?? ""
        self.init(
            line: error.mark?.line, column: error.mark?.column, message: "not valid YAML: \(error.problem)\(hint)")
    }

    /// What libyaml's words most often mean in a settings file.
    private static let yamlHints = [
        (
            problem: "cannot start any token",
            hint: "indent by spaces, not tabs, and put a text that begins with @, % or ` in quotes"
        ),
        (
            problem: "mapping values are not allowed",
            hint:
                "put a text that holds ': ' in quotes, or SQL in the lines below 'sql: |', and begin all keys of a section in one column"
        ),
        (
            problem: "did not find expected key",
            hint:
                "begin all keys of a section in one column, and put SQL that begins with a quote in the lines below 'sql: |'"
        ),
        (problem: "could not find expected ':'", hint: "write 'name: value'"),
    ]
}
