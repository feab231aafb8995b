import Foundation
import Testing

/// The ways in docs/architecture.md lead through functions that are there.
@Suite struct ArchitectureTests {
    /// One line of a way: - `Type.function` (`path below Sources`): what happens.
    struct Step: CustomTestStringConvertible {
        let type: String
        let function: String
        let path: String
        var testDescription: String { "\(type).\(function)" }
    }

    /// The text under a heading.
    private static func section(_ heading: String) throws -> Substring {
        let document = try text(of: "docs/architecture.md")
        let start = try #require(document.range(of: "\n## \(heading)\n"), "no heading \(heading)").upperBound
        let rest = document[start...]
        return rest[..<(rest.range(of: "\n## ")?.lowerBound ?? rest.endIndex)]
    }

    /// The steps of each way, by its title.
    private static let ways: [(title: String, steps: [Step])] = {
        let section = (try? Self.section("The ways")) ?? ""
        return section.components(separatedBy: "\n### ").dropFirst().map { way in
            let lines = way.components(separatedBy: "\n")
            let steps = lines.compactMap { line in
                line.firstMatch(of: /^- `(\w+)\.(\w+)` \(`([^`]+)`\)/).map { match in
                    Step(type: String(match.1), function: String(match.2), path: String(match.3))
                }
            }
            return (lines[0], steps)
        }
    }()

    @Test func `there is a way for each of these, and each point names a function`() throws {
        #expect(Self.ways.map(\.title) == ["A hit", "A miss", "A refresh", "A batch", "An invalidation"])
        for way in Self.ways { #expect(way.steps.count >= 5, "\(way.title)") }
        let points = try Self.section("The ways").split(separator: "\n").filter { $0.hasPrefix("- ") }
        #expect(points.count == Self.ways.reduce(0) { $0 + $1.steps.count })
    }

    @Test(arguments: ways.flatMap(\.steps))
    func `a step of a way is a function of that type in that file`(_ step: Step) throws {
        let source = try text(of: "Sources/\(step.path)")
        let functions = try Regex("\\bfunc \(step.function)\\b")
        // Not `\b` at the end: between the letters of `Shard.State` Unicode sees no boundary.
        let types = try Regex("\\b(struct|class|enum|extension|actor) \(step.type)(?!\\w)")
        #expect(source.contains(functions), "no func \(step.function) in \(step.path)")
        #expect(source.contains(types), "no \(step.type) in \(step.path)")
    }

    @Test func `the words of the glossary are fifteen`() throws {
        #expect(try Self.section("Words").split(separator: "\n").filter { $0.hasPrefix("| ") }.count == 16)
    }
}
