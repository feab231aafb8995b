/// What can be told from a getter's SQL without a server.
///
/// The scanner knows as much of PostgreSQL's lexical rules (section 4.1 of its documentation) as it takes to tell the
/// statement's own text from comments, strings and quoted names.
struct QueryText: Equatable {
    /// The SQL without what follows its last word: semicolons, comments, white space.
    private(set) var statement = ""
    /// The highest n of the parameters `$n`.
    private(set) var parameterCount = 0
    /// The word that it begins with, in lower case, in brackets or not; empty when it begins with something else.
    private(set) var firstWord = ""
    /// Where the first token stands.
    private(set) var firstPosition: Position?
    /// Where something stands behind a semicolon; nil when there is one statement.
    private(set) var secondStatement: Position?
    /// What may be a parameter as other databases or drivers write it. Only the server knows: `?` and `%` are operators.
    private(set) var foreignParameter: ForeignParameter?

    /// A line and a column in it, in Unicode scalars, both from 1.
    struct Position: Sendable, Equatable {
        let line: Int
        let column: Int
    }

    /// `?`, `:id`, `%s`, `@id` or `$id`.
    struct ForeignParameter: Sendable, Equatable {
        let spelling: String
        let position: Position
    }

    private var bytes: [UInt8]
    /// How far the scanner came.
    private var offset = 0

    init(_ sql: String) {
        bytes = Array(sql.utf8)
        var end = 0
        var isClosed = false
        var isBehindBrackets = true
        while offset < bytes.count {
            if skipWhiteSpaceOrComment() { continue }
            if bytes[offset] == UInt8(ascii: ";") {
                isClosed = end > 0
                // What stands before the first word stays, so that positions do.
                if !isClosed { bytes[offset] = UInt8(ascii: " ") }
                offset += 1
                continue
            }
            if isClosed, secondStatement == nil { secondStatement = position(of: offset) }
            if firstPosition == nil { firstPosition = position(of: offset) }
            let start = offset
            skipToken()
            if isBehindBrackets, bytes[start] != UInt8(ascii: "(") {
                isBehindBrackets = false
                if Self.beginsName(bytes[start]) {
                    firstWord = String(decoding: bytes[start..<offset], as: UTF8.self).lowercased()
                }
            }
            end = offset
        }
        statement = String(decoding: bytes[..<end], as: UTF8.self)
    }

    /// Where the byte at `offset` stands, for the operator.
    private func position(of offset: Int) -> Position {
        Self.position(behind: String(decoding: bytes[..<offset], as: UTF8.self).unicodeScalars)
    }

    /// The position that follows `text`.
    static func position(behind text: some BidirectionalCollection<Unicode.Scalar>) -> Position {
        Position(
            line: text.reduce(1) { $1 == "\n" ? $0 + 1 : $0 }, column: text.reversed().prefix { $0 != "\n" }.count + 1)
    }

    private func byte(_ offset: Int) -> UInt8? {
        offset < bytes.count ? bytes[offset] : nil
    }

    private mutating func skipWhiteSpaceOrComment() -> Bool {
        switch bytes[offset] {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x0b, 0x0c:
            offset += 1
            return true
        case UInt8(ascii: "-") where byte(offset + 1) == UInt8(ascii: "-"):
            while let next = byte(offset), next != UInt8(ascii: "\n"), next != UInt8(ascii: "\r") { offset += 1 }
            return true
        case UInt8(ascii: "/") where byte(offset + 1) == UInt8(ascii: "*"):
            return skipBlockComment()
        default:
            return false
        }
    }

    /// Block comments nest. One that never ends is left to the server to complain about.
    private mutating func skipBlockComment() -> Bool {
        var depth = 0
        var ahead = offset
        while let next = byte(ahead) {
            if next == UInt8(ascii: "/"), byte(ahead + 1) == UInt8(ascii: "*") {
                depth += 1
                ahead += 2
            } else if next == UInt8(ascii: "*"), byte(ahead + 1) == UInt8(ascii: "/") {
                depth -= 1
                ahead += 2
                if depth == 0 {
                    offset = ahead
                    return true
                }
            } else {
                ahead += 1
            }
        }
        return false
    }

    private mutating func skipToken() {
        switch bytes[offset] {
        case UInt8(ascii: "'"): skipQuoted(by: UInt8(ascii: "'"), escapes: false)
        case UInt8(ascii: "\""): skipQuoted(by: UInt8(ascii: "\""), escapes: false)
        case UInt8(ascii: "$"): skipDollar()
        case UInt8(ascii: ":") where byte(offset + 1) == UInt8(ascii: ":"): offset += 2
        case let first where Self.beginsName(first): skipName()
        default:
            noteForeignParameter()
            offset += 1
        }
    }

    private mutating func noteForeignParameter() {
        guard foreignParameter == nil, let length = foreignParameterLength() else { return }
        foreignParameter = ForeignParameter(
            spelling: String(decoding: bytes[offset..<offset + length], as: UTF8.self), position: position(of: offset))
    }

    /// How many bytes from `offset` on look like another's parameter; nil when they don't.
    private func foreignParameterLength() -> Int? {
        let nameEnd = bytes[(offset + 1)...].firstIndex { !Self.continuesName($0) } ?? bytes.count
        let hasName = byte(offset + 1).map(Self.beginsName) ?? false
        switch bytes[offset] {
        case UInt8(ascii: "?"): return 1
        case UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "$"): return hasName ? nameEnd - offset : nil
        case UInt8(ascii: "%"):
            if bytes[offset + 1..<nameEnd].elementsEqual("s".utf8) { return 2 }
            guard byte(offset + 1) == UInt8(ascii: "("),
                let close = bytes[offset...].firstIndex(of: UInt8(ascii: ")")), byte(close + 1) == UInt8(ascii: "s")
            else { return nil }
            return close + 2 - offset
        default: return nil
        }
    }

    /// A doubled quote is taken as two strings side by side, which ends at the same byte. Strings on lines of their own
    /// are one string, too, so the escapes of the first are those of all.
    private mutating func skipQuoted(by quote: UInt8, escapes: Bool) {
        repeat {
            offset += 1
            while let next = byte(offset), next != quote {
                offset += escapes && next == UInt8(ascii: "\\") ? 2 : 1
            }
            offset = min(offset + 1, bytes.count)
        } while escapes && (byte(offset) == quote || skipToContinuation(of: quote))
    }

    /// Goes on to the quote that continues a string: behind white space and comments with at least one line end.
    private mutating func skipToContinuation(of quote: UInt8) -> Bool {
        let start = offset
        while let next = byte(offset), next != UInt8(ascii: "/"), skipWhiteSpaceOrComment() {}
        let hasLineEnd = bytes[start..<offset].contains { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
        if hasLineEnd, byte(offset) == quote { return true }
        offset = start
        return false
    }

    private mutating func skipName() {
        let start = offset
        while let next = byte(offset), Self.continuesName(next) { offset += 1 }
        let isEscapeMark = offset == start + 1 && bytes[start] | 0x20 == UInt8(ascii: "e")
        if isEscapeMark, byte(offset) == UInt8(ascii: "'") { skipQuoted(by: UInt8(ascii: "'"), escapes: true) }
    }

    /// `$1` is a parameter; `$$` and `$tag$` open a string that the same mark closes.
    private mutating func skipDollar() {
        var ahead = offset + 1
        if let first = byte(ahead), Self.isDigit(first) {
            var number = 0
            while let digit = byte(ahead), Self.isDigit(digit) {
                number = min(number * 10 + Int(digit - UInt8(ascii: "0")), 65_536)
                ahead += 1
            }
            parameterCount = max(parameterCount, number)
            offset = ahead
            return
        }
        while let next = byte(ahead), Self.continuesName(next), next != UInt8(ascii: "$") { ahead += 1 }
        guard byte(ahead) == UInt8(ascii: "$") else {
            noteForeignParameter()
            offset += 1
            return
        }
        let mark = bytes[offset...ahead]
        offset = ahead + 1
        while offset < bytes.count, !bytes[offset...].starts(with: mark) { offset += 1 }
        offset = min(offset + mark.count, bytes.count)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    private static func beginsName(_ byte: UInt8) -> Bool {
        let letter = byte | 0x20
        return letter >= UInt8(ascii: "a") && letter <= UInt8(ascii: "z") || byte == UInt8(ascii: "_") || byte >= 0x80
    }

    private static func continuesName(_ byte: UInt8) -> Bool {
        beginsName(byte) || isDigit(byte) || byte == UInt8(ascii: "$")
    }
}
