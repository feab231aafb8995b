/// What can be told from a getter's SQL without a server.
///
/// The scanner knows as much of PostgreSQL's lexical rules (section 4.1 of its documentation) as it takes to tell the
/// statement's own text from comments, strings and quoted names.
struct QueryText: Equatable {
    /// The SQL without what stands behind its last word: semicolons, comments, white space.
    private(set) var statement = ""
    /// The highest n of the parameters `$n`.
    private(set) var parameterCount = 0
    /// Whether something stands behind a semicolon.
    private(set) var hasSeveralStatements = false
    /// Whether it is a COPY, which only its own protocol can answer.
    private(set) var isCopy = false

    private let bytes: [UInt8]
    private var place = 0

    init(_ sql: String) {
        bytes = Array(sql.utf8)
        var end = 0
        var closed = false
        while place < bytes.count {
            if skipWhiteSpaceOrComment() { continue }
            if bytes[place] == UInt8(ascii: ";") {
                closed = end > 0
                place += 1
                continue
            }
            hasSeveralStatements = hasSeveralStatements || closed
            let start = place
            skipToken()
            if end == 0 { isCopy = Self.spellsCopy(bytes[start..<place]) }
            end = place
        }
        statement = String(decoding: bytes[..<end], as: UTF8.self)
    }

    private func byte(_ place: Int) -> UInt8? {
        place < bytes.count ? bytes[place] : nil
    }

    private mutating func skipWhiteSpaceOrComment() -> Bool {
        switch bytes[place] {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"), 0x0b, 0x0c:
            place += 1
            return true
        case UInt8(ascii: "-") where byte(place + 1) == UInt8(ascii: "-"):
            while let next = byte(place), next != UInt8(ascii: "\n"), next != UInt8(ascii: "\r") { place += 1 }
            return true
        case UInt8(ascii: "/") where byte(place + 1) == UInt8(ascii: "*"):
            return skipBlockComment()
        default:
            return false
        }
    }

    /// Block comments nest. One that never ends is left to the server to complain about.
    private mutating func skipBlockComment() -> Bool {
        var depth = 0
        var ahead = place
        while let next = byte(ahead) {
            if next == UInt8(ascii: "/"), byte(ahead + 1) == UInt8(ascii: "*") {
                depth += 1
                ahead += 2
            } else if next == UInt8(ascii: "*"), byte(ahead + 1) == UInt8(ascii: "/") {
                depth -= 1
                ahead += 2
                if depth == 0 {
                    place = ahead
                    return true
                }
            } else {
                ahead += 1
            }
        }
        return false
    }

    private mutating func skipToken() {
        switch bytes[place] {
        case UInt8(ascii: "'"): skipQuoted(by: UInt8(ascii: "'"), escapes: false)
        case UInt8(ascii: "\""): skipQuoted(by: UInt8(ascii: "\""), escapes: false)
        case UInt8(ascii: "$"): skipDollar()
        case let first where Self.beginsName(first): skipName()
        default: place += 1
        }
    }

    /// A doubled quote is taken as two strings side by side, which ends at the same place.
    private mutating func skipQuoted(by quote: UInt8, escapes: Bool) {
        place += 1
        while let next = byte(place), next != quote {
            place += escapes && next == UInt8(ascii: "\\") ? 2 : 1
        }
        place = min(place + 1, bytes.count)
    }

    private mutating func skipName() {
        let start = place
        while let next = byte(place), Self.continuesName(next) { place += 1 }
        let isEscapeMark = place == start + 1 && bytes[start] | 0x20 == UInt8(ascii: "e")
        if isEscapeMark, byte(place) == UInt8(ascii: "'") { skipQuoted(by: UInt8(ascii: "'"), escapes: true) }
    }

    /// `$1` is a parameter; `$$` and `$tag$` open a string that the same mark closes.
    private mutating func skipDollar() {
        var ahead = place + 1
        if let first = byte(ahead), Self.isDigit(first) {
            var number = 0
            while let digit = byte(ahead), Self.isDigit(digit) {
                number = min(number * 10 + Int(digit - UInt8(ascii: "0")), 65_536)
                ahead += 1
            }
            parameterCount = max(parameterCount, number)
            place = ahead
            return
        }
        while let next = byte(ahead), Self.continuesName(next), next != UInt8(ascii: "$") { ahead += 1 }
        guard byte(ahead) == UInt8(ascii: "$") else {
            place += 1
            return
        }
        let mark = bytes[place...ahead]
        place = ahead + 1
        while place < bytes.count, !bytes[place...].starts(with: mark) { place += 1 }
        place = min(place + mark.count, bytes.count)
    }

    private static func spellsCopy(_ word: ArraySlice<UInt8>) -> Bool {
        word.elementsEqual("copy".utf8) { $0 | 0x20 == $1 }
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
