import Foundation
import Yams

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
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            let message = "can't read the settings file: \(reason(error))"
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
            root = try Yams.compose(yaml: text)
        } catch {
            throw SettingsError(file: file, mistakes: [Mistake(syntax: error)])
        }
        var settings = Settings()
        var reader = SettingsReader(folder: folder, environment: environment)
        if let root {
            reader.section(root, "", into: &settings, keys)
        }
        if reader.places["groups"] == nil {
            reader.note("groups: needs at least one group, with its 'query' or 'sql'", at: root?.mark)
        }
        settings.checkTogether(&reader)
        guard reader.mistakes.isEmpty else { throw SettingsError(file: file, mistakes: reader.mistakes) }
        return settings
    }

    /// The rules that more than one setting takes part in.
    private func checkTogether(_ reader: inout SettingsReader) {
        for (group, path) in [(defaults, "defaults")] + groups.map({ ($0, "groups.\($0.name)") }) {
            if let share = group.memory, share > memory, reader.places["\(path).memory"] != nil {
                let whole = ByteUnit.all.text(memory)
                reader.note("\(path).memory", "is more than 'memory', which is \(whole) for all groups together")
            }
            let isOwn = ["refresh_after", "ttl"].contains { reader.places["\(path).\($0)"] != nil }
            if isOwn, group.ttl > .zero, group.refreshAfter >= group.ttl {
                let place = reader.places["\(path).refresh_after"] != nil ? "refresh_after" : "ttl"
                reader.note("\(path).\(place)", "refresh_after must be less than ttl, or no entry lives to see it")
            }
        }
    }
}

extension Mistake {
    /// What the YAML parser says, at its place.
    init(syntax error: any Error) {
        switch error as? YamlError {
        case .scanner(let context, let problem, let place, _), .parser(let context, let problem, let place, _),
            .composer(let context, let problem, let place, _):
            let about = context.map { " (\($0.text) in line \($0.mark.line))" } ?? ""
            self.init(line: place.line, column: place.column, message: "not valid YAML: \(problem)\(about)")
        case .duplicatedKeysInMapping(let names, let context):
            let quoted = names.map { "'\($0)'" }.joined(separator: ", ")
            self.init(
                line: context.mark.line, column: context.mark.column,
                message: "\(quoted) stands more than once in the same section, first here; keep one")
        case .reader(let problem, _, _, _):
            self.init(message: "not valid YAML: \(problem)")
        default:
            self.init(message: "not valid YAML: \(error)")
        }
    }
}
