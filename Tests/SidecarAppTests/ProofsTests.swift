import Foundation
import Testing

/// proofs/README.md says for each step of the model which function it stands for.
@Suite struct ProofsTests {
    /// One line: - `step`: `Type.function` (`path below Sources`) and what more there is.
    struct Row: CustomTestStringConvertible {
        let step: String
        let functions: [(type: String, name: String, path: String)]
        var testDescription: String { step }
    }

    private static let rows: [Row] = lines(of: "proofs/README.md").compactMap { line in
        line.firstMatch(of: #/^- `(\w+)`: /#).map { row in
            let functions = line.matches(of: /`(\w+)\.(\w+)` \(`([^`]+)`\)/).map {
                (String($0.1), String($0.2), String($0.3))
            }
            return Row(step: String(row.1), functions: functions)
        }
    }

    private static func lines(of file: String) -> [Substring] {
        ((try? text(of: file)) ?? "").split(separator: "\n")
    }

    /// Steps that stand for no function: what has to hold, the world, and what only chooses among states of the model.
    private static let others: Set = ["raise", "Writer", "Fault", "End", "pick"]

    @Test func `each step of the model stands for a function, or for the world`() throws {
        let model = try text(of: "proofs/cache.pml")
        let steps = Set(model.matches(of: /(?m)^(?:inline|proctype) (\w+)\(/).map { String($0.1) })
        let told = Set(Self.rows.map(\.step))
        #expect(steps.count > 15)
        #expect(steps.subtracting(told).subtracting(Self.others).isEmpty)
        #expect(told.subtracting(steps).isEmpty)
        #expect(told.isDisjoint(with: Self.others))
    }

    @Test(arguments: rows)
    func `a step of the model stands for functions of that type in that file`(_ row: Row) throws {
        #expect(!row.functions.isEmpty)
        for function in row.functions {
            let source = try text(of: "Sources/\(function.path)")
            let isThere = source.contains(try Regex("\\bfunc \(function.name)\\b"))
            let types = try Regex("\\b(struct|class|enum|extension|actor) \(function.type)\\b").wordBoundaryKind(
                .simple)
            #expect(isThere, "no func \(function.name) in \(function.path)")
            #expect(source.contains(types), "no \(function.type) in \(function.path)")
        }
    }

    /// The checker needs spin, and so `make prove` runs it; here it is only seen to that no variant is left out.
    @Test func `each rule that can be left out is left out in a case that has to fail`() throws {
        let model = try text(of: "proofs/cache.pml")
        let variants = Set(model.matches(of: /#if(?:n?def) ((?:BROKEN|WITHOUT)_\w+)/).map { String($0.1) })
        let check = try text(of: "proofs/check")
        let cases = check.components(separatedBy: "fails=(").last?.components(separatedBy: "\n)").first ?? ""
        #expect(variants.count > 10)
        for variant in variants { #expect(cases.contains("-D\(variant) "), "\(variant)") }
    }
}
