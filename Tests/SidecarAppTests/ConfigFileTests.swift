import Foundation
import Testing

@testable import SidecarApp

/// The repository's folder.
let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path

/// The text of a file of the repository.
func text(of file: String) throws -> String {
    try String(contentsOfFile: "\(repository)/\(file)", encoding: .utf8)
}

@Suite struct ConfigFileTests {
    @Test(arguments: ["minimal", "pgsidecar", "demo"])
    func `each settings file of the repository has no mistake`(name: String) throws {
        _ = try Settings.load(from: "\(repository)/Config/\(name).yaml", environment: [:])
    }

    @Test func `the annotated file says the defaults`() throws {
        let annotated = try Settings.load(from: "\(repository)/Config/pgsidecar.yaml", environment: [:])
        var expected = Settings()
        expected.groups = annotated.groups
        #expect(annotated == expected)
        var group = Settings.Group()
        group.name = "account"
        group.sql = annotated.groups.first?.sql ?? ""
        group.place = annotated.groups.first?.place
        #expect(annotated.groups == [group])
    }

    @Test(arguments: Settings.keys.flatMap(\.references).map(\.path))
    func `the annotated file shows each setting`(path: String) throws {
        let name = path.split(separator: ".").last ?? ""
        let lines = try text(of: "Config/pgsidecar.yaml").split(separator: "\n")
        let shown = lines.contains { line in
            line.drop { $0 == " " || $0 == "#" }.hasPrefix("\(name):")
        }
        #expect(shown, "\(path)")
    }

    @Test func `the annotated file stays right when what is commented out is taken in`() throws {
        let lines = try text(of: "Config/pgsidecar.yaml").split(separator: "\n").map { line in
            let indent = line.prefix { $0 == " " }
            let rest = line.dropFirst(indent.count)
            let setting = rest.hasPrefix("# ") && rest.dropFirst(2).prefix { $0 != ":" }.allSatisfy(\.isSettingLetter)
            // What needs more of this machine than a test has stays out.
            let needsMachine = ["group:", "allow_users:", "admin_users:", "query:"].contains {
                rest.dropFirst(2).hasPrefix($0)
            }
            return setting && rest.contains(":") && !needsMachine ? indent + rest.dropFirst(2) : line
        }
        let read = try settings(
            lines.joined(separator: "\n"),
            environment: ["DATABASE_PASSWORD": "a", "PGSIDECAR_PASSWORD": "b"])
        #expect(read.database.url == "postgresql://app@db1,db2/app?target_session_attrs=read-write")
        #expect(read.database.password == "a")
        #expect(read.listen.password == "b")
        #expect(read.defaults.memory == 64 << 20)
        #expect(read.groups.first?.ttl == .seconds(600))
    }

    @Test(arguments: Settings.keys.flatMap(\.references))
    func `the reference tells each setting with its default and how it is written`(setting: Reference) throws {
        let document = try text(of: "docs/settings.md")
        let heading = "### `\(setting.path)`"
        let section = try #require(document.firstRange(of: heading + "\n"), "\(heading)")
        let rest = document[section.upperBound...]
        let body = rest[..<(rest.firstRange(of: "\n#")?.lowerBound ?? rest.endIndex)]
        let byDefault = setting.byDefault.map { "Default: `\($0)`." } ?? "Default: none."
        #expect(body.contains(byDefault), "\(setting.path): \(byDefault)")
        #expect(body.contains("A value is \(setting.expects)."), "\(setting.path)")
    }

    @Test func `the reference tells no setting that there isn't`() throws {
        let told = try text(of: "docs/settings.md").split(separator: "\n").filter { $0.hasPrefix("### `") }
            .map { String($0.dropFirst(5).dropLast()) }
        #expect(told == Settings.keys.flatMap(\.references).map(\.path))
    }
}

extension Character {
    fileprivate var isSettingLetter: Bool { isASCII && (isLowercase || self == "_") }
}
