import Foundation

extension SettingsReader {
    /// Brings in the SQL of a group from its file, or sees that the settings file itself has it.
    mutating func readQuery(of group: inout Settings.Group, _ path: String) {
        guard let file = group.query else {
            // A mistake in `query` or `sql` itself was already noted.
            if group.sql.isEmpty, places["\(path).query"] == nil, places["\(path).sql"] == nil {
                note(path, "needs its SQL; write 'query: FILE' or 'sql: TEXT'")
            }
            return
        }
        guard group.sql.isEmpty else {
            note("\(path).sql", "stands beside 'query'; keep one of the two")
            return
        }
        let location = file.hasPrefix("/") ? file : folder + file
        do {
            group.sql = try String(contentsOfFile: location, encoding: .utf8)
        } catch {
            note("\(path).query", "can't read \(location): \(reason(error))")
            return
        }
        if group.sql.allSatisfy(\.isWhitespace) {
            note("\(path).query", "\(location) is empty; it needs one SELECT")
        } else if group.sql.utf8.contains(0) {
            note("\(path).query", "\(location) contains a NUL byte")
        }
    }
}

/// Why a file could not be read, in a few words.
func reason(_ error: any Error) -> String {
    switch (error as? CocoaError)?.code {
    case .fileReadNoSuchFile?, .fileNoSuchFile?: "there is no such file"
    case .fileReadNoPermission?: "no permission"
    case .fileReadInapplicableStringEncoding?, .fileReadCorruptFile?: "it is not UTF-8 text"
    default: "it is not a readable file"
    }
}
