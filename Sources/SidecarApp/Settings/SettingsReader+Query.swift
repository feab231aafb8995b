import Machine
import Postgres

extension SettingsReader {
    /// Refuses a batch of a group whose own query has no parameter.
    mutating func expectKeyParts(_ group: Settings.Group, _ path: String) {
        // Without its SQL, which was noted, nobody knows.
        guard !group.sql.isEmpty, QueryGetter(name: group.name, sql: group.sql, returns: .rows).keyParts == 0 else {
            return
        }
        note(path, "the group's query has no parameter, so it has one key and nothing to batch; remove the batch")
    }

    /// Brings in the SQL of a group, or of its batch, from its file, or sees that the settings file itself has it. Returns
    /// where it stands.
    mutating func readQuery(_ file: String?, into sql: inout String, _ path: String) -> QueryLocation? {
        guard let file else {
            // A mistake in `query` or `sql` itself was already noted.
            if sql.isEmpty, marks["\(path).query"] == nil, marks["\(path).sql"] == nil {
                note(path, "needs its SQL; write 'query: FILE' or 'sql: TEXT'")
            }
            return queryLocations["\(path).sql"]
        }
        guard sql.isEmpty else {
            note("\(path).sql", "stands beside 'query'; keep one of the two")
            return nil
        }
        let location = file.hasPrefix("/") ? file : folder + file
        do {
            sql = try textOfFile(location)
        } catch {
            note("\(path).query", "can't read \(location): \(error.reason)")
            return nil
        }
        if sql.allSatisfy(\.isWhitespace) {
            note("\(path).query", "\(location) is empty; it needs one SELECT")
        } else if sql.utf8.contains(0) {
            note("\(path).query", "\(location) contains a NUL byte")
        }
        return QueryLocation(file: location)
    }
}
