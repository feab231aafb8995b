/// Fills in `${NAME}` and `${NAME:-default}` from the environment; `$${` stands for a literal `${`.
///
/// It works on the text of one value after YAML was parsed, so that a variable's value can't bring YAML of its own.
/// A default counts when the variable is missing or empty, as in a shell.
func fillingVariables(in text: String, from environment: [String: String]) throws(WrongValue) -> String {
    guard text.contains("${") else { return text }
    var result = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
        result += rest[..<dollar]
        rest = rest[dollar...]
        if rest.hasPrefix("$${") {
            result += "${"
            rest = rest.dropFirst(3)
        } else if rest.hasPrefix("${") {
            guard let end = rest.firstIndex(of: "}") else {
                throw WrongValue(why: "has a '${' without its '}'; write '$${' where '${' itself is meant")
            }
            result += try value(of: rest[rest.index(dollar, offsetBy: 2)..<end], from: environment)
            rest = rest[rest.index(after: end)...]
        } else {
            result += "$"
            rest = rest.dropFirst()
        }
    }
    return result + rest
}

/// The value of what stands between the braces: a name, or a name and `:-default`.
private func value(of reference: Substring, from environment: [String: String]) throws(WrongValue) -> String {
    let separator = reference.firstRange(of: ":-")
    let name = String(reference[..<(separator?.lowerBound ?? reference.endIndex)])
    let isName =
        !name.isEmpty && name.first?.isNumber == false
        && name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    guard isName else {
        throw WrongValue(why: "names no environment variable in '${\(reference)}'; write ${NAME} or ${NAME:-default}")
    }
    if let separator {
        let value = environment[name] ?? ""
        return value.isEmpty ? String(reference[separator.upperBound...]) : value
    }
    guard let value = environment[name] else {
        throw WrongValue(
            why: "needs the environment variable \(name), which is not set; set it or write ${\(name):-default}")
    }
    return value
}
