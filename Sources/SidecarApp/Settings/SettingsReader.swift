import YAML

/// Walks the tree of a settings file by the tables of keys, and notes every mistake instead of stopping at the first.
struct SettingsReader {
    /// What the settings file is called.
    let file: String
    /// The folder that query files are relative to, with the slash at its end.
    let folder: String
    /// Where `${NAME}` comes from.
    let environment: [String: String]
    /// What was wrong so far, in the order of finding.
    private(set) var mistakes: [Mistake] = []
    /// Where each value that was read stands, by its path.
    private(set) var marks: [String: Mark] = [:]
    /// Where each query stands that the file itself has, by the path of its `sql`.
    private(set) var queryLocations: [String: QueryLocation] = [:]

    /// The settings file's text, line by line.
    private let lines: [Substring]

    init(of text: String, file: String, folder: String, environment: [String: String]) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        self.file = file
        self.folder = folder
        self.environment = environment
    }

    /// Notes a mistake.
    mutating func note(_ message: String, at mark: Mark?) {
        mistakes.append(Mistake(line: mark?.line, column: mark?.column, message: message))
    }

    /// Notes a mistake of the value that was read at `path`.
    mutating func note(_ path: String, _ message: String) {
        note("\(path): \(message)", at: marks[path])
    }

    /// Reads a mapping's keys into a section, in the table's order, and refuses the keys that the table lacks.
    mutating func section<Section>(
        _ node: Node, _ path: String, into section: inout Section, _ keys: [SettingKey<Section>]
    ) {
        guard let pairs = pairs(node, path) else { return }
        let names = keys.map(\.name)
        for pair in pairs where !names.contains(pair.name) {
            let guess =
                pair.name.contains(" ")
                ? "put a text that has a comma and stands between { } in quotes"
                : nearestName(to: pair.name, among: names).map { "did you mean '\($0)'?" }
            note(
                "\(join(path, pair.name)): unknown key; \(guess ?? "the keys here are \(names.joined(separator: ", "))")",
                at: pair.mark)
        }
        for key in keys {
            guard let pair = pairs.first(where: { $0.name == key.name }) else { continue }
            let path = join(path, key.name)
            marks[path] = pair.value.mark
            if key.name == "sql", case .scalar(let scalar) = pair.value { queryLocations[path] = location(of: scalar) }
            key.read(pair.value, path, &section, &self)
        }
    }

    /// Reads the groups, each of which begins as a copy of the defaults.
    mutating func groups(_ node: Node, _ path: String, defaults: Settings.Group) -> [Settings.Group] {
        guard let pairs = pairs(node, path) else { return [] }
        if pairs.isEmpty { note(path, "needs at least one group") }
        return pairs.map { pair in
            let path = join(path, pair.name)
            marks[path] = pair.mark
            if !isGroupName(pair.name) {
                note(path, "not a group's name; it may have letters, digits, '_', '-' and '.'")
            }
            var group = defaults
            group.name = pair.name
            section(pair.value, path, into: &group, Settings.Group.ownKeys + Settings.Group.sharedKeys)
            group.location = readQuery(group.query, into: &group.sql, path)
            group.invalidateOnLocations = group.invalidateOn.indices.map { index in
                let mark = marks["\(path).invalidate_on[\(index)]"]
                return QueryLocation(file: file, line: mark?.line ?? 1, column: mark?.column ?? 1, isVerbatim: false)
            }
            if marks["\(path).batch"] != nil {
                group.batch.location = readQuery(group.batch.query, into: &group.batch.sql, "\(path).batch")
                expectKeyParts(group, "\(path).batch")
            }
            return group
        }
    }

    /// Reads one value; nil when it was a mistake.
    mutating func value<Value>(_ node: Node, _ path: String, _ type: ValueType<Value>) -> Value? {
        guard case .scalar(let scalar) = node else {
            note("\(path): needs one value: \(type.expects)", at: node.mark)
            return nil
        }
        if scalar.style == .plain, ["", "~", "null"].contains(scalar.string.lowercased()) {
            note("\(path): has no value; write \(type.expects), or remove the line", at: node.mark)
            return nil
        }
        var quoted = type.isSecret ? "the text" : "'\(scalar.string)'"
        do throws(WrongValue) {
            let text = try fillingVariables(in: scalar.string, from: environment)
            // What a variable holds may be a secret, so a mistake quotes the reference and not the value.
            if text != scalar.string { quoted += ", as the environment fills it in," }
            return try type.parse(text)
        } catch {
            note("\(path): \(quoted) \(error.why)", at: node.mark)
            return nil
        }
    }

    /// Reads a list of values; nil when it was no list. Values that are mistakes are left out.
    mutating func values<Value>(_ node: Node, _ path: String, _ type: ValueType<Value>) -> [Value]? {
        guard case .sequence(let sequence, _) = node else {
            note("\(path): needs a list; write [a, b], each \(type.expects)", at: node.mark)
            return nil
        }
        return sequence.compactMap { value($0, path, type) }
    }

    /// Reads a list of sections, each of which begins as `initial`.
    mutating func sections<Section>(
        _ node: Node, _ path: String, each initial: Section, _ keys: [SettingKey<Section>], expects: String
    ) -> [Section] {
        guard case .sequence(let sequence, _) = node else {
            note("\(path): needs \(expects)", at: node.mark)
            return []
        }
        return sequence.enumerated().map { index, node in
            let path = "\(path)[\(index)]"
            marks[path] = node.mark
            var section = initial
            self.section(node, path, into: &section, keys)
            return section
        }
    }

    /// Where the text of a scalar begins.
    private func location(of scalar: Scalar) -> QueryLocation {
        let mark = scalar.mark
        switch scalar.style {
        case .plain, .quoted:
            let quote = scalar.style == .quoted ? 1 : 0
            // A text of several lines has its line ends elsewhere, and an escape is longer than what it stands for.
            let isVerbatim =
                mark.line <= lines.count && !scalar.string.contains("\n")
                && lines[mark.line - 1].dropFirst(mark.column - 1 + quote).hasPrefix(scalar.string)
            return QueryLocation(file: file, line: mark.line, column: mark.column + quote, isVerbatim: isVerbatim)
        case .literal:
            let first = lines.dropFirst(mark.line).first { !$0.allSatisfy(\.isWhitespace) } ?? ""
            let indent = first.prefix { $0 == " " }.count
            return QueryLocation(file: file, line: mark.line + 1, column: indent + 1, isVerbatim: true)
        case .folded:
            return QueryLocation(file: file, line: mark.line, column: mark.column, isVerbatim: false)
        }
    }

    private func join(_ path: String, _ name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }

    /// A mapping's keys and values; nil when it is none. A section without any key is an empty one.
    private mutating func pairs(_ node: Node, _ path: String) -> [(name: String, mark: Mark, value: Node)]? {
        switch node {
        case .mapping(let pairs, _):
            return pairs.compactMap { key, value in
                guard case .scalar(let scalar) = key else {
                    note("\(path.isEmpty ? "a key" : path): a key must be a plain name", at: key.mark)
                    return nil
                }
                return (scalar.string, key.mark, value)
            }
        case .scalar(let scalar) where scalar.style == .plain && scalar.string.isEmpty:
            return []
        case .scalar, .sequence:
            note("\(path.isEmpty ? "the file" : path): needs keys below it, as in 'name: value'", at: node.mark)
            return nil
        }
    }

    private func isGroupName(_ name: String) -> Bool {
        !name.isEmpty
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-" || $0 == ".") }
    }
}
