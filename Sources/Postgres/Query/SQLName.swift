/// Why a text is no name; reads on after the quoted text: `'a.' is not finished`.
public struct NameMistake: Error, Equatable {
    /// What is wrong, and what would be right.
    public let why: String

    package init(why: String) {
        self.why = why
    }
}

/// Names as SQL writes them.
public enum SQLName {
    /// PostgreSQL cuts longer names.
    public static let limit = 63

    /// The names in `text`, with dots between them. What is not in double quotes is folded to lower case, in ASCII only, as
    /// the server does in UTF-8.
    public static func parts(of text: String) throws(NameMistake) -> [String] {
        var names: [String] = []
        var rest = text.unicodeScalars[...]
        repeat {
            names.append(try takeName(from: &rest))
            guard let next = rest.first else { return names }
            guard next == "." else { throw wrongSign(next) }
            rest.removeFirst()
        } while true
    }

    /// The name as SQL takes it: in double quotes unless it needs none. A key word gets none either, so this is for texts that
    /// people read; see ``quoted(_:)``.
    public static func written(_ name: String) -> String {
        let isPlain =
            name.unicodeScalars.allSatisfy { isInName($0) && !("A"..."Z").contains($0) }
            && name.unicodeScalars.first.map { !("0"..."9").contains($0) && $0 != "$" } ?? false
        return isPlain ? name : quoted(name)
    }

    /// The name in double quotes, for SQL that a program writes.
    public static func quoted(_ name: String) -> String {
        var text = "\""
        for scalar in name.unicodeScalars {
            if scalar == "\"" { text += "\"" }
            text.unicodeScalars.append(scalar)
        }
        return text + "\""
    }

    private static func takeName(from rest: inout Substring.UnicodeScalarView) throws(NameMistake) -> String {
        let name = rest.first == "\"" ? try takeQuoted(from: &rest) : try takePlain(from: &rest)
        guard !name.isEmpty else { throw NameMistake(why: "has an empty name") }
        guard !name.utf8.contains(0) else { throw NameMistake(why: "contains a NUL byte") }
        guard name.utf8.count <= limit else {
            throw NameMistake(why: "has a name of \(name.utf8.count) bytes; PostgreSQL's have \(limit) at most")
        }
        return name
    }

    private static func takeQuoted(from rest: inout Substring.UnicodeScalarView) throws(NameMistake) -> String {
        rest.removeFirst()
        var name = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            guard scalar == "\"" else {
                name.append(scalar)
                continue
            }
            guard rest.first == "\"" else { return String(name) }
            name.append(rest.removeFirst())
        }
        throw NameMistake(why: "has a double quote without its end")
    }

    private static func takePlain(from rest: inout Substring.UnicodeScalarView) throws(NameMistake) -> String {
        var name = String.UnicodeScalarView()
        while let scalar = rest.first, scalar != "." {
            let mayBegin = !name.isEmpty || !("0"..."9").contains(scalar) && scalar != "$"
            guard isInName(scalar), mayBegin else { throw wrongSign(scalar) }
            let isUpper = ("A"..."Z").contains(scalar)
            name.append(isUpper ? Unicode.Scalar(UInt8(ascii: scalar) | 0x20) : scalar)
            rest.removeFirst()
        }
        return String(name)
    }

    private static func isInName(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "$": true
        case _: scalar.value >= 0x80
        }
    }

    private static func wrongSign(_ scalar: Unicode.Scalar) -> NameMistake {
        NameMistake(why: "has '\(scalar)' where a name can't have it; put such a name in double quotes")
    }
}
