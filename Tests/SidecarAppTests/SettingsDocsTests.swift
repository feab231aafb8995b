import Foundation
import TestSupport
import Testing

@testable import SidecarApp

/// What docs/settings.md and Config/pgsidecar.yaml say of each setting is what its key says: `make docs` writes them.
@Suite struct SettingsDocsTests {
    private static let settings = Settings.keys.compactMap { $0.describe(Settings()) }

    @Test func `the reference tells every setting as its key has it, and no other`() throws {
        try compare("docs/settings.md") { try Self.reference(in: $0) }
    }

    @Test func `the annotated file shows every setting as its key has it, and no other`() throws {
        try compare("Config/pgsidecar.yaml") { document in
            let header = try #require(document.range(of: "\n\n")).lowerBound
            return document[..<header] + "\n\n" + AnnotatedFile(Self.settings).text
        }
    }

    @Test func `the reference has each key of the tables once, in their order`() throws {
        let told = try text(of: "docs/settings.md").split(separator: "\n").filter { $0.hasPrefix("### `") }
            .map { String($0.dropFirst(5).dropLast()) }
        #expect(told == Self.settings.flatMap { paths(of: $0) })
        #expect(told.contains("groups.NAME.batch.max") && told.contains("groups.NAME.ttl"))
    }

    private func compare(_ file: String, _ write: (String) throws -> String) throws {
        let document = try text(of: file)
        let expected = try write(document)
        if ProcessInfo.processInfo.environment["PGSIDECAR_WRITE_DOCS"] != nil {
            try expected.write(toFile: "\(repository)/\(file)", atomically: true, encoding: .utf8)
        } else {
            #expect(document == expected, "`make docs` writes \(file) anew")
        }
    }

    private func paths(of setting: SettingDescription) -> [String] {
        switch setting.content {
        case .value: [setting.name]
        case .section(let inner): inner.flatMap { paths(of: $0) }.map { "\(setting.name).\($0)" }
        }
    }

    // MARK: The reference

    /// The document with what stands between its marks written anew: `<!-- settings: NAME ... -->` and `<!-- end -->`.
    private static func reference(in document: String) throws -> String {
        let (begin, end) = ("<!-- settings: ", "<!-- end -->")
        let parts = document.components(separatedBy: begin)
        var written = parts[0]
        var missing = settings.map(\.name)
        for part in parts.dropFirst() {
            let names = String(part[..<(try #require(part.range(of: " -->\n"), "\(part)")).lowerBound])
            let rest = part[try #require(part.range(of: end), "\(part)").upperBound...]
            let entries = try names.split(separator: " ").flatMap { name in
                let setting = try #require(settings.first { $0.name == name }, "no setting \(name)")
                missing.removeAll { $0 == name }
                return Self.entries(of: setting, at: setting.name)
            }
            written += "\(begin)\(names) -->\n\n" + entries.joined(separator: "\n\n") + "\n\n\(end)" + rest
        }
        #expect(missing.isEmpty, "docs/settings.md has no marks for these")
        return written
    }

    private static func entries(of setting: SettingDescription, at path: String) -> [String] {
        switch setting.content {
        case .section(let inner):
            return inner.flatMap { entries(of: $0, at: "\(path).\($0.name)") }
        case .value(let expects, let byDefault, _):
            let text = setting.more.isEmpty ? setting.summary : "\(setting.summary) \(setting.more)"
            let paragraphs = text.components(separatedBy: "\n\n").map { paragraph in
                paragraph.hasPrefix("```") ? paragraph : wrapped(paragraph).joined(separator: "\n")
            }
            let value = "Default: \(byDefault.map { "`\($0)`" } ?? "none"). A value is \(expects)."
            return ["### `\(path)`"] + paragraphs + [value]
        }
    }
}

/// Config/pgsidecar.yaml below its header.
private struct AnnotatedFile {
    private(set) var text = ""

    init(_ settings: [SettingDescription]) {
        for (number, setting) in settings.enumerated() {
            // Between two values at the top no line is left empty; each section stands alone.
            if case .section = setting.content, number > 0, !text.hasSuffix("\n\n") { text += "\n" }
            write(setting, indent: "", commented: false)
            if case .section = setting.content, number < settings.count - 1 { text += "\n" }
        }
    }

    private mutating func write(_ setting: SettingDescription, indent: String, commented: Bool) {
        switch setting.content {
        case .section(let inner):
            // Without a batch's queries there is none, so the whole of it is an example.
            let commented = commented || setting.name == "batch"
            comment(setting.summary, indent: indent)
            text += indent + (commented ? "# " : "") + (setting.name == "NAME" ? "account" : setting.name) + ":\n"
            for setting in inner where !setting.isInherited {
                write(setting, indent: indent + "  ", commented: commented)
            }
            if inner.contains(where: \.isInherited) {
                comment("Any setting of `defaults`, for this group alone:", indent: indent + "  ")
                text += indent + "  # ttl: 10m\n"
            }
        case .value(let expects, let byDefault, let example):
            // The file has to be right as it stands, and a group needs its query.
            let isGiven = byDefault != nil || setting.name == "sql"
            let line =
                indent + (isGiven && !commented ? "" : "# ") + "\(setting.name): \(byDefault ?? example ?? "...")"
            let sentence = Self.naming(expects, in: setting.summary)
            let beside = line.padding(toLength: 32, withPad: " ", startingAt: 0) + "# \(sentence.dropLast())"
            if line.count < 32, beside.count <= 120 {
                text += beside + "\n"
            } else {
                comment(sentence, indent: indent)
                text += line + "\n"
            }
        }
    }

    /// The sentence, and what there is to choose from unless it says so itself.
    private static func naming(_ expects: String, in summary: String) -> String {
        let choices = expects.hasPrefix("one of ") && !summary.contains("`") ? expects.dropFirst("one of ".count) : ""
        return choices.isEmpty ? summary : "\(summary.dropLast()): \(choices)."
    }

    private mutating func comment(_ sentence: String, indent: String) {
        for line in wrapped(sentence, width: 118 - indent.count) { text += "\(indent)# \(line)\n" }
    }
}

/// The lines of a paragraph, each of at most `width` letters.
private func wrapped(_ paragraph: String, width: Int = 120) -> [String] {
    var lines = [""]
    for word in paragraph.split(whereSeparator: \.isWhitespace) {
        let line = lines[lines.count - 1]
        if line.isEmpty {
            lines[lines.count - 1] = String(word)
        } else if line.count + 1 + word.count <= width {
            lines[lines.count - 1] += " \(word)"
        } else {
            lines.append(String(word))
        }
    }
    return lines
}
