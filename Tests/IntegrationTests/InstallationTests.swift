import Foundation
import PrivateDatabase
import TestSupport
import Testing
import YAML

/// What `make install` puts on a machine, and the files that ship.
@Suite(.timeLimit(.minutes(10)))
struct InstallationTests {
    @Test func `make install puts everything below its folder, and keeps settings that are there`() async throws {
        let root = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: root) }
        let install = Program(command: [
            "make", "--no-print-directory", "-C", repository, "install", "PROGRAM=\(pgsidecarPath)", "DESTDIR=\(root)",
            "PREFIX=/opt/cache",
        ])
        _ = try await install.run()
        let prefix = "\(root)/opt/cache"
        let program = "\(prefix)/bin/pgsidecar"
        #expect(
            try await Program(command: [program, "--version"]).run()
                == Program(command: [pgsidecarPath, "--version"]).run())
        for path in [
            "share/man/man1/pgsidecar.1", "share/bash-completion/completions/pgsidecar",
            "share/fish/vendor_completions.d/pgsidecar.fish", "share/zsh/site-functions/_pgsidecar",
            "lib/systemd/system/pgsidecar.socket", "lib/sysusers.d/pgsidecar.conf", "lib/tmpfiles.d/pgsidecar.conf",
            "share/doc/pgsidecar/operations.md", "share/doc/pgsidecar/copyright",
        ] { #expect(FileManager.default.fileExists(atPath: "\(prefix)/\(path)"), "\(path)") }
        let unit = try String(contentsOfFile: "\(prefix)/lib/systemd/system/pgsidecar.service", encoding: .utf8)
        #expect(unit.contains("ExecStart=/opt/cache/bin/pgsidecar serve --config /etc/pgsidecar/pgsidecar.yaml\n"))
        #expect(!unit.contains("/usr/"), "\(unit)")
        _ = try await Program(command: ["bash", "-n", "\(prefix)/share/bash-completion/completions/pgsidecar"]).run()

        let settings = "\(root)/etc/pgsidecar/pgsidecar.yaml"
        _ = try await Program(command: [pgsidecarPath, "check", "--config", settings]).run()
        try "mine".write(toFile: settings, atomically: true, encoding: .utf8)
        _ = try await install.run()
        #expect(try String(contentsOfFile: settings, encoding: .utf8) == "mine")
    }

    @Test(
        .enabled(
            if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "systemd is not installed"))
    func `systemd takes the units, and the service has little that it could do`() async throws {
        let folder = temporaryPath()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        // Its programs have to be there.
        let unit = try String(contentsOfFile: "\(repository)/Config/pgsidecar.service", encoding: .utf8)
            .replacing("/usr/bin/pgsidecar", with: "/bin/true").replacing("man:pgsidecar(1) ", with: "")
        try unit.write(toFile: "\(folder)/pgsidecar.service", atomically: true, encoding: .utf8)
        let socket = "\(folder)/pgsidecar.socket"
        try FileManager.default.copyItem(atPath: "\(repository)/Config/pgsidecar.socket", toPath: socket)
        let verify = try RunningProgram(
            ["systemd-analyze", "verify", "\(folder)/pgsidecar.service", socket], in: folder)
        #expect(await verify.end() == .code(0))
        #expect(verify.errors.isEmpty, "\(verify.errors)")
        _ = try await Program(command: [
            "systemd-analyze", "security", "--offline=true", "--threshold=20", "\(folder)/pgsidecar.service",
        ]).run()
    }

    @Test func `the Kubernetes example is YAML, and the settings in it have no mistakes`() async throws {
        let text = try String(contentsOfFile: "\(repository)/Config/kubernetes/deployment.yaml", encoding: .utf8)
        let documents = text.components(separatedBy: "\n---\n")
        #expect(documents.count == 2)
        for document in documents { #expect(try Node.parse(document) != nil) }
        let block = try #require(documents[0].components(separatedBy: "  pgsidecar.yaml: |\n").last)
        let settings = block.split(separator: "\n").map { $0.dropFirst(4) }.joined(separator: "\n")
        let file = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: file) }
        try settings.write(toFile: file, atomically: true, encoding: .utf8)
        let check = Program(
            command: [pgsidecarPath, "check", "--config", file], environment: ["DATABASE_PASSWORD": "sesame"])
        #expect(try await check.run().hasSuffix("\(file): 1 group, no mistakes"))
    }

    @Test func `operations.md names figures that there are, and every alert`() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOfFile: "\(repository)/\(path)", encoding: .utf8)
        }
        let (operations, metrics) = (try text("docs/operations.md"), try text("docs/metrics.md"))
        let figures = operations.matches(of: /pgsidecar_[a-z_]+/).map { String($0.output) }
        #expect(figures.count > 10)
        for figure in Set(figures) { #expect(metrics.contains("`\(figure)`"), "\(figure)") }
        let alerts = try text("Config/prometheus/alerts.yml").matches(of: /- alert: (\w+)/).map { String($0.output.1) }
        #expect(alerts.count > 5)
        for alert in alerts { #expect(operations.contains("`\(alert)`"), "\(alert)") }
    }

    /// What `--experimental-dump-help` tells.
    private struct Help: Decodable {
        let command: Command
    }

    private struct Command: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable {
                let kind: String
                let name: String
            }

            let names: [Name]?
            let shouldDisplay: Bool
        }

        let commandName: String
        let arguments: [Argument]?
        let subcommands: [Command]?

        var all: [Command] { [self] + (subcommands ?? []).flatMap(\.all) }
    }

    @Test func `the manual page has every command and every option`() async throws {
        let manual = try String(contentsOfFile: "\(repository)/Packaging/pgsidecar.1", encoding: .utf8)
        let help = try await Program(command: [pgsidecarPath, "--experimental-dump-help"]).run()
        let root = try JSONDecoder().decode(Help.self, from: Data(help.utf8)).command
        for command in root.all.dropFirst() {
            #expect(manual.contains(".It Em \(command.commandName)\n"), "\(command.commandName): run make man")
        }
        for argument in root.all.flatMap({ $0.arguments ?? [] }) where argument.shouldDisplay {
            for name in argument.names ?? [] where name.kind == "long" {
                #expect(
                    manual.contains("Fl -\(name.name)") || manual.contains(", -\(name.name)"),
                    "\(name.name): run make man")
            }
        }
    }
}
