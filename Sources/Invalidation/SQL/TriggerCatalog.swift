import Postgres

/// What PostgreSQL's catalogs say of one table and of the triggers there.
struct TriggerCatalog: Sendable {
    /// A table whose statements may change rows of the one asked for: itself, what is below it (partitions, children), and what
    /// is above it.
    struct Relation: Sendable, Equatable {
        let name: TableName
        /// `pg_class.relkind`.
        let kind: String
        let isTemporary: Bool
        /// Whether it is the table asked for.
        let isAsked: Bool
        /// Whether it is a partition of the table asked for, or a child, directly or not.
        let isBelow: Bool
        /// Whether it is a foreign table or has one below it: then no trigger may ask for the rows that changed, or the
        /// statement is refused.
        let hidesRows: Bool
        /// Whether a subscription writes to it, which calls no statement's trigger.
        let isSubscribed: Bool
        /// Changes with all that no trigger tells: its definition, its file (rewritten, or emptied by its own name), and whether
        /// triggers were disabled meanwhile.
        let print: String
        /// By name.
        var triggers: [String: Trigger] = [:]
    }

    /// A trigger that calls the function asked for.
    struct Trigger: Sendable, Equatable {
        let type: Int
        let oldRows: String
        let newRows: String
        let argumentCount: Int
        /// `pg_trigger.tgenabled`.
        let enabled: String
        /// Whether it runs for some statements only.
        let isConditional: Bool
    }

    /// One of our functions.
    struct Function: Sendable, Equatable {
        let body: String
        let settings: [String]
        let isPlain: Bool
    }

    /// In the order of their names.
    var relations: [Relation] = []
    /// Those of the table asked for, by name: how each is told as part of a key.
    var columns: [String: ChangeTriggers.Column?] = [:]
    /// Triggers of the same kind on tables that have nothing to do with it any more: partitions that were detached.
    var strays: [(table: TableName, trigger: String)] = []
    /// Our functions, by name.
    var functions: [String: Function] = [:]
    /// Whether our schema is there.
    var hasSchema = false
    /// What the server is like.
    var server = ServerFacts()
    /// Whether anybody may notify, as writers have to.
    var anybodyNotifies = true

    /// The table asked for; nil when there is none of its name.
    var asked: Relation? { relations.first(where: \.isAsked) }
}

extension TriggerCatalog {
    /// One row: whether our schema is there, the encoding, the size of a block, and whether anybody may notify.
    static let serverQuery = """
        select exists (select from pg_catalog.pg_namespace where nspname = '\(ChangeTriggers.schema)'),
            pg_catalog.getdatabaseencoding(), pg_catalog.current_setting('block_size'),
            pg_catalog.has_function_privilege('public', 'pg_catalog.pg_notify(text, text)', 'execute')
        """

    /// Each of our functions: its name, its text, its settings, and whether it is as we write them otherwise.
    static let functionsQuery = """
        select p.proname, p.prosrc, coalesce(pg_catalog.array_to_string(p.proconfig, e'\\n'), ''),
            not p.prosecdef and l.lanname = 'plpgsql' and p.pronargs = 0
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        join pg_catalog.pg_language l on l.oid = p.prolang
        where n.nspname = '\(ChangeTriggers.schema)'
        """

    /// The tables whose statements may change rows of the one whose schema is $1 and whose name is $2.
    static let relationsQuery = """
        with recursive asked as (
            select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where n.nspname = $1 and c.relname = $2 and c.relkind not in ('i', 'I', 'S', 't', 'c')),
        below(oid) as (
            select oid from asked
            union select i.inhrelid from pg_catalog.pg_inherits i join below b on b.oid = i.inhparent
            where \(SQLText.isAttached("i"))),
        above(oid) as (
            select oid from asked
            union select i.inhparent from pg_catalog.pg_inherits i join above a on a.oid = i.inhrelid)
        select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence = 't', c.oid in (select oid from asked),
            c.oid in (select oid from below) and c.oid not in (select oid from asked),
            (with recursive parts(oid) as (
                select c.oid union select i.inhrelid from pg_catalog.pg_inherits i join parts p on p.oid = i.inhparent)
            select pg_catalog.bool_or(f.relkind = 'f') from parts p join pg_catalog.pg_class f on f.oid = p.oid),
            exists (select from pg_catalog.pg_subscription_rel s where s.srrelid = c.oid),
            pg_catalog.md5(pg_catalog.concat_ws(' ', c.oid, pg_catalog.pg_relation_filenode(c.oid), (
                select pg_catalog.string_agg(
                    pg_catalog.concat_ws(' ', a.attnum, a.xmin), ',' order by a.attnum)
                from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attnum > 0), (
                select pg_catalog.string_agg(pg_catalog.concat_ws(' ', t.oid, t.xmin), ',' order by t.oid)
                from pg_catalog.pg_trigger t join pg_catalog.pg_proc p on p.oid = t.tgfoid
                join pg_catalog.pg_namespace f on f.oid = p.pronamespace
                where t.tgrelid = c.oid and f.nspname = '\(ChangeTriggers.schema)')))
        from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where c.oid in (select oid from below union select oid from above)
        order by n.nspname, c.relname
        """

    /// The triggers that call our function whose name is $1, each with its table.
    static let triggersQuery = """
        select t.tgrelid, t.tgname, c.relname, u.nspname, t.tgtype, coalesce(t.tgoldtable, ''), coalesce(t.tgnewtable, ''),
            t.tgnargs, t.tgenabled, t.tgqual is not null or pg_catalog.array_length(t.tgattr, 1) > 0
        from pg_catalog.pg_trigger t
        join pg_catalog.pg_proc p on p.oid = t.tgfoid
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        join pg_catalog.pg_class c on c.oid = t.tgrelid
        join pg_catalog.pg_namespace u on u.oid = c.relnamespace
        where n.nspname = '\(ChangeTriggers.schema)' and p.proname = $1 and not t.tgisinternal
        """

    /// Asks for all of it. Blocks.
    init(
        of table: TableName, columns: [String: ChangeTriggers.Column?], function: String, in session: SQLSession
    ) throws(SQLFailure) {
        self.columns = columns
        for row in try session.run(Self.serverQuery) where row.count == 4 {
            hasSchema = row[0] == "t"
            server = ServerFacts(
                isUTF8: row[1] == "UTF8",
                // NOTIFY_PAYLOAD_MAX_LENGTH in PostgreSQL's async.c: a block without a name and 128 bytes.
                payloadLimit: min(7_999, (row[2].flatMap { Int($0) } ?? 8_192) - 193))
            anybodyNotifies = row[3] == "t"
        }
        for row in try session.run(Self.functionsQuery) where row.count == 4 {
            functions[row[0] ?? ""] = Function(
                body: row[1] ?? "", settings: (row[2] ?? "").split(separator: "\n").map(String.init),
                isPlain: row[3] == "t")
        }
        var numbers: [String] = []
        for row in try session.run(Self.relationsQuery, [table.schema, table.name]) where row.count == 10 {
            numbers.append(row[0] ?? "")
            relations.append(
                Relation(
                    name: TableName(schema: row[1] ?? "", name: row[2] ?? ""), kind: row[3] ?? "",
                    isTemporary: row[4] == "t", isAsked: row[5] == "t", isBelow: row[6] == "t",
                    hidesRows: row[7] == "t", isSubscribed: row[8] == "t", print: row[9] ?? ""))
        }
        for row in try session.run(Self.triggersQuery, [function]) where row.count == 10 {
            guard let name = row[1] else { continue }
            guard let index = numbers.firstIndex(of: row[0] ?? "") else {
                strays.append((TableName(schema: row[3] ?? "", name: row[2] ?? ""), name))
                continue
            }
            relations[index].triggers[name] = Trigger(
                type: row[4].flatMap { Int($0) } ?? 0, oldRows: row[5] ?? "", newRows: row[6] ?? "",
                argumentCount: row[7].flatMap { Int($0) } ?? 0, enabled: row[8] ?? "", isConditional: row[9] == "t")
        }
    }
}
