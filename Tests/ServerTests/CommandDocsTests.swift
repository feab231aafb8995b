import Foundation
import Testing

@testable import Server

/// The tables in docs/commands.md are the table of commands, written out: `make docs` writes them.
@Suite struct CommandDocsTests {
    private static let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("docs/commands.md").path

    private static func begin(_ topic: CommandTopic) -> String { "<!-- commands: \(topic) -->\n" }
    private static let end = "<!-- end -->"

    /// The rows of a topic.
    private static func table(of topic: CommandTopic) -> String {
        let rows = CommandTable.served.filter { $0.topic == topic }.flatMap { command -> [String] in
            guard let container = command as? any ContainerCommand.Type else {
                return [row(CommandSyntax(command.syntax).line(after: command.name), command.summary)]
            }
            return container.subcommands.map { row($0.syntax.line(after: "\(command.name) \($0.name)"), $0.summary) }
        }
        return "| command | reply |\n|---|---|\n" + rows.joined()
    }

    private static func row(_ line: String, _ summary: String) -> String {
        let cells = ["`\(line)`", summary].map { $0.replacingOccurrences(of: "|", with: "\\|") }
        return "| \(cells[0]) | \(cells[1]) |\n"
    }

    private static func written(into document: String) throws -> String {
        try CommandTopic.allCases.reduce(document) { document, topic in
            let start = try #require(document.range(of: begin(topic)), "no \(begin(topic))").upperBound
            let end = try #require(document.range(of: end, range: start..<document.endIndex)).lowerBound
            return document.replacingCharacters(in: start..<end, with: table(of: topic))
        }
    }

    @Test func `the docs have every command as the table of commands has it, and no other`() throws {
        let document = try String(contentsOfFile: Self.path, encoding: .utf8)
        let expected = try Self.written(into: document)
        if ProcessInfo.processInfo.environment["PGSIDECAR_WRITE_DOCS"] != nil {
            try expected.write(toFile: Self.path, atomically: true, encoding: .utf8)
        } else {
            #expect(document == expected, "`make docs` writes docs/commands.md anew")
        }
    }

    @Test(arguments: [
        ("", 1), ("key", 2), ("key column", 3), ("key [key ...]", -2), ("[key ...]", -1), ("a b [c ...]", -3),
        ("cursor [MATCH pattern] [COUNT count]", -2), ("[ASYNC|SYNC]", -1), ("ON|OFF", 2), ("LIB-NAME|LIB-VER text", 3),
        ("[protover [AUTH user password] [SETNAME name]]", -1), ("[user] password", -2), ("ID client-id", 3),
    ])
    func `a command's arity follows from its syntax`(_ syntax: String, _ arity: Int) {
        #expect(CommandSyntax(syntax).arity.number == arity)
    }

    @Test func `a syntax knows tokens, choices, blocks and what may be left out`() {
        typealias Argument = CommandSyntax.Argument
        let scan = CommandSyntax("cursor [MATCH pattern] [NOVALUES]").arguments
        #expect(
            scan == [
                Argument(name: "cursor", kind: .value),
                Argument(name: "pattern", kind: .value, token: "MATCH", isOptional: true),
                Argument(name: "novalues", kind: .token, token: "NOVALUES", isOptional: true),
            ])
        let mode = CommandSyntax("[ASYNC|SYNC] key [key ...]").arguments
        let choices = ["ASYNC", "SYNC"].map { Argument(name: $0.lowercased(), kind: .token, token: $0) }
        #expect(
            mode == [
                Argument(name: "async|sync", kind: .oneOf(choices), isOptional: true),
                Argument(name: "key", kind: .value, isMultiple: true),
            ])
        let block = CommandSyntax("[AUTH user password]").arguments
        let parts = ["user", "password"].map { Argument(name: $0, kind: .value) }
        #expect(block == [Argument(name: "auth", kind: .block(parts), token: "AUTH", isOptional: true)])
    }
}
