/// A page out of its parts, which stand as files beside this one and in the program itself.
enum Page {
    /// Files of the program, one after the other.
    static func part(_ files: [UInt8]...) -> HTML {
        HTML(trusted: files.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n"))
    }

    /// Fills in what stands as `{{name}}` in a template. What is filled in is not looked at again.
    static func fill(_ template: [UInt8], _ parts: [String: HTML]) -> String {
        var page = ""
        var rest = part(template).text[...]
        while let mark = rest.firstRange(of: /\{\{\w+\}\}/) {
            page += rest[..<mark.lowerBound]
            page += parts[String(rest[mark].dropFirst(2).dropLast(2))]?.text ?? ""
            rest = rest[mark.upperBound...]
        }
        return page + rest
    }
}
