import Foundation
import Testing

/// What the libraries' articles say of what is public.
@Suite struct LibraryDocumentationTests {
    private static let libraries = ["Singleflight", "CacheCore", "TypedCache"]

    /// The lines of a library's sources with `public` or `open` in them.
    private static func publicLines(of library: String) throws -> [String] {
        let folder = URL(fileURLWithPath: "\(repository)/Sources/\(library)")
        let paths = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".swift") }
        return try paths.flatMap { path in
            try String(contentsOf: folder.appending(path: path), encoding: .utf8).components(separatedBy: "\n")
                .filter { $0.contains(/(^|\s)(public|open)\s/) }
        }
    }

    @Test(arguments: libraries)
    func `the topics of a library's article are all public types`(library: String) throws {
        let article = try text(of: "Sources/\(library)/\(library).docc/\(library).md")
        let topics = try #require(article.range(of: "\n## Topics\n"), "no topics").upperBound
        let named = article[topics...].matches(of: /\n- ``(\w+)``/).map { String($0.1) }
        let declaration = /^(?:public|open) (?:final class|class|struct|enum|protocol|actor|typealias) (\w+)/
        let declared = try Self.publicLines(of: library).compactMap { line in
            line.firstMatch(of: declaration).map { String($0.1) }
        }
        #expect(!declared.isEmpty)
        #expect(named.sorted() == Set(declared).sorted())
    }

    @Test(arguments: libraries)
    func `nothing public takes or gives a time of this package's own`(library: String) throws {
        let lines = try Self.publicLines(of: library).filter { $0.contains(/\bInstant\b/) }
        #expect(lines == [])
    }
}
