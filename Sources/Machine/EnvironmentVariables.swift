import CLinux

/// The environment variables of this process.
package func environmentVariables() -> [String: String] {
    var variables: [String: String] = [:]
    guard var entry = pgs_environment() else { return variables }
    while let pair = entry.pointee {
        let text = String(cString: pair)
        if let sign = text.firstIndex(of: "=") {
            variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
        }
        entry += 1
    }
    return variables
}
