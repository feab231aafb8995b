import CacheCore
import Foundation
import Groundwork
import Postgres
import Server
import TestSupport
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
        group.location = annotated.groups.first?.location
        #expect(annotated.groups == [group])
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
        #expect(read.defaults.rules.memory == 64 << 20)
        #expect(read.groups.first?.rules.timeToLive == .seconds(600))
    }
}

extension Character {
    fileprivate var isSettingLetter: Bool { isASCII && (isLowercase || self == "_") }
}
