import LoadTest
import Server
import SidecarApp

extension Bench.Subject {
    /// A group of a sidecar that runs with these settings.
    ///
    /// - Parameters:
    ///   - socket: Its socket; nil: that of the settings.
    ///   - group: The group's name; nil: the first one whose keys are known.
    ///   - keys: Where keys come from; nil: out of the table that the group depends on.
    ///   - writeSQL: What changes the row of a key; nil: nothing is written.
    /// - Throws: `BenchError`, when there is no such group, or its keys are not known.
    init(_ settings: Settings, socket: String?, group name: String?, keys: KeySource?, writeSQL: String?) throws {
        let candidates = settings.groups.filter { name == nil || $0.name == name }
        if let name, candidates.isEmpty {
            let names = settings.groups.map(\.name).joined(separator: ", ")
            throw BenchError(
                .unsuitable, "there is no group '\(name)' in the settings; the groups are \(names)")
        }
        guard let group = candidates.first(where: { keys != nil || $0.keysQuery != nil }),
            let keys = keys ?? group.keysQuery.map({ .query($0) })
        else {
            throw BenchError(
                .unsuitable,
                "no table tells the keys of \(name.map { "the group '\($0)'" } ?? "any group"); say --keys-query or --keys-file"
            )
        }
        self.init(
            socket: socket ?? settings.socket, password: settings.listen.password, database: settings.database,
            group: group.name, sql: group.sql, returns: group.returns, keys: keys, writeSQL: writeSQL)
    }
}
