/// What a query reads, and which tables from their beginning to their end, as the database plans it for any key.
package struct QueryReading: Sendable {
    /// A table or a view that the query reads.
    package struct Relation: Sendable {
        /// With its schema, as SQL takes it.
        package let name: String
        /// Its schema, as SQL takes it.
        package let schema: String
        /// Whether the session's role may read it.
        package let mayBeRead: Bool
        /// Whether the session's role may change it.
        package let mayBeWritten: Bool
        /// Whether a view reads it that the query reads: then, as a rule, the view's owner needs the right.
        package let isBehindView: Bool
    }

    /// A table that is read as a whole because no index leads to the rows.
    package struct Scan: Sendable {
        /// With its schema, as SQL takes it.
        package let table: String
        /// Whether it is partitioned.
        package let isPartitioned: Bool
        /// What it has on disk.
        package let bytes: Int
        /// What each row is compared with; nil when all rows are wanted.
        package let filter: String?
        /// The columns that are compared with the key, as SQL takes them; empty when that can't be told.
        package let columns: [String]
    }

    /// What the query names, and what is behind its views. What functions read is not among it.
    package let relations: [Relation]
    /// The tables that are read as a whole.
    package let scans: [Scan]
    /// Why there is no plan to be had; nil when there is one.
    package let unplanned: String?

    /// Has the database plan `sql`. Nothing is run and nothing stays, be it through a pooler.
    ///
    /// - Throws: What the server says of SQL that it does not take.
    package init(of sql: String, over session: SQLSession) throws(SQLFailure) {
        let text = QueryText(sql)
        let name = "pgsidecar_doctor_\(UInt32.random(in: 0 ... .max))"
        try session.run("begin; \(Self.planning)")
        do throws(SQLFailure) {
            try session.run("prepare \(name) as \(text.statement)\n; savepoint prepared")
            relations = try session.run(Self.relationsRead).compactMap(Relation.init)
            (scans, unplanned) = try Self.plan(of: name, text.parameterCount, over: session)
            try session.run("deallocate \(name); rollback")
        } catch {
            _ = try? session.run("rollback")
            throw error
        }
    }

    /// With nulls for the key, which a domain may refuse.
    private static func plan(
        of name: String, _ count: Int, over session: SQLSession
    ) throws(SQLFailure) -> (scans: [Scan], unplanned: String?) {
        let nulls = [String](repeating: "null", count: count).joined(separator: ", ")
        do throws(SQLFailure) {
            let execute = "execute \(name)\(count == 0 ? "" : "(\(nulls))")"
            let plan = try session.run("explain (verbose, format json) \(execute)").first?.first ?? nil
            return (try session.run(scansIn, [plan]).compactMap(Scan.init), nil)
        } catch {
            try session.run("rollback to savepoint prepared")
            return ([], error.message)
        }
    }

    /// The plan is that of any key, and has a sequential scan only where nothing else is possible: on a small table, or one without
    /// statistics, the planner's choice tells nothing.
    private static let planning = """
        set local plan_cache_mode = force_generic_plan; set local enable_seqscan = off;
        set local enable_partition_pruning = off; set local standard_conforming_strings = on;
        set local lock_timeout = '2s'; set local statement_timeout = '10s'
        """

    /// What the transaction has locked since its beginning: whatever the statement names, before any privilege is looked at.
    private static let relationsRead = """
        with locked as (
            select distinct l.relation as id from pg_catalog.pg_locks l
            where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation')
        select pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(n.nspname),
            pg_catalog.has_table_privilege(c.oid, 'select'),
            pg_catalog.has_table_privilege(c.oid, 'insert, update, delete, truncate'),
            exists (
                select from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid
                where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.refclassid = 'pg_catalog.pg_class'::regclass
                    and d.refobjid = c.oid and r.ev_class <> c.oid and r.ev_class in (select id from locked))
        from locked join pg_catalog.pg_class c on c.oid = locked.id
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
        order by 1
        """

    /// The sequential scans in the plan $1. A filter compares a column with a part of the key as `(t.name = $1)`; a varchar is
    /// compared as text.
    private static let scansIn = #"""
        with scan as (
            select c.oid as id, coalesce(pg_catalog.pg_partition_root(c.oid), c.oid) as root, node ->> 'Filter' as filter
            from pg_catalog.jsonb_path_query(
                    $1::pg_catalog.jsonb, 'strict $.** ? (@."Node Type" == "Seq Scan")') as found(node)
                join pg_catalog.pg_namespace n on n.nspname = node ->> 'Schema'
                join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = node ->> 'Relation Name'),
        rooted as (
            select root, sum(pg_catalog.pg_table_size(id)) as bytes, min(filter) as filter from scan group by root)
        select pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind = 'p', bytes, filter, (
            select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ',' order by a.attnum)
            from pg_catalog.pg_attribute a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and filter ~ pg_catalog.concat(
                '[(. ]', pg_catalog.regexp_replace(pg_catalog.quote_ident(a.attname), '(\W)', '\\\1', 'g'),
                case when a.atttypid = 'pg_catalog.varchar'::regtype then '(\)::text)?' end, ' = \(?\$[0-9]'))
        from rooted join pg_catalog.pg_class c on c.oid = root join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        order by 1
        """#
}

extension QueryReading.Relation {
    fileprivate init?(_ row: [String?]) {
        guard row.count == 5, let name = row[0], let schema = row[1] else { return nil }
        (self.name, self.schema) = (name, schema)
        (mayBeRead, mayBeWritten, isBehindView) = (row[2] == "t", row[3] == "t", row[4] == "t")
    }
}

extension QueryReading.Scan {
    fileprivate init?(_ row: [String?]) {
        guard row.count == 5, let table = row[0] else { return nil }
        self.table = table
        isPartitioned = row[1] == "t"
        bytes = row[2].flatMap { Int($0) } ?? 0
        filter = row[3]
        columns = row[4]?.split(separator: ",").map(String.init) ?? []
    }
}
