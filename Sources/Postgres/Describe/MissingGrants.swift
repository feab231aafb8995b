/// The SQL that gives the session's role what a query lacks.
package enum MissingGrants {
    /// The `GRANT`s for a query that the database refused for want of a privilege; empty when they can't be told.
    ///
    /// - Parameters:
    ///   - message: The database's words, which name what is refused in any language.
    package static func sql(
        for query: String, refusedWith message: String, over session: SQLSession
    ) -> [String] {
        let role = (try? session.run("select pg_catalog.quote_ident(current_user)").first?.first ?? nil) ?? "ROLE"
        if let reading = try? QueryReading(of: query, over: session) {
            let refused = reading.relations.filter { !$0.mayBeRead }
            let named = refused.filter { !$0.isBehindView }
            let names = (named.isEmpty ? refused : named).map(\.name)
            if !names.isEmpty { return ["GRANT SELECT ON \(names.joined(separator: ", ")) TO \(role);"] }
        }
        let others = (try? session.run(named, [message])) ?? []
        return others.compactMap { $0.first.flatMap { $0 }.map { "GRANT \($0) TO \(role);" } }
    }

    /// Schemas and functions that the role may not use and that the text $1 names.
    private static let named = #"""
        with word as (select distinct m[1] as name from pg_catalog.regexp_matches($1, '[\w$]+', 'g') m)
        select pg_catalog.format('USAGE ON SCHEMA %I', nspname) from pg_catalog.pg_namespace
        where nspname in (select name from word) and not pg_catalog.has_schema_privilege(oid, 'usage')
        union all
        select pg_catalog.format('EXECUTE ON FUNCTION %s', oid::pg_catalog.regprocedure) from pg_catalog.pg_proc
        where proname in (select name from word) and not pg_catalog.has_function_privilege(oid, 'execute')
        """#
}
