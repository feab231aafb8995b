import Invalidation
import Postgres
import Server

extension Settings {
    /// Where clients connect to.
    public var socket: String { listen.socket }
}

extension Settings.Group {
    /// A query for all keys that there are, whose columns are the key's parts: those of the first table by whose columns the group is
    /// invalidated. Nil without one.
    public var keysQuery: String? {
        guard let rule = invalidateOn.first(where: { !$0.key.isEmpty }) else { return nil }
        let columns = rule.key.map { SQLName.quoted($0) }.joined(separator: ", ")
        let table = "\(SQLName.quoted(rule.table.schema)).\(SQLName.quoted(rule.table.name))"
        return "select distinct \(columns) from \(table)"
    }
}
