import Postgres

/// The SQL of the publication that `source: logical` decodes.
public enum PublicationSQL {
    /// Makes a publication of `tables`, as SQL that fails, and changes nothing, where a table has no replica identity: from
    /// then on its users' own updates would be refused (55000).
    public static func create(_ publication: String, _ tables: [TableName]) -> String {
        let checks = tables.map { table in
            """
            do $check$ begin
                if not exists (
                    select from pg_catalog.pg_class c where c.oid = \(SQLText.literal(table.quoted))::pg_catalog.regclass
                        and (c.relreplident = 'f' or exists (
                            select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indimmediate and i.indisvalid
                                and (c.relreplident = 'd' and i.indisprimary
                                    or c.relreplident = 'i' and i.indisreplident))))
                then raise exception using
                    message = \(SQLText.literal("\(table) has no replica identity: published, its updates would fail")),
                    hint = \(SQLText.literal("ALTER TABLE \(table.quoted) REPLICA IDENTITY FULL; or give it a primary key"));
                end if;
            end $check$;

            """
        }
        return checks.joined() + """
            create publication \(SQLName.quoted(publication)) for table \(tables.map(\.quoted).joined(separator: ", "))
                with (publish_via_partition_root = true);

            """
    }

    /// Removes a publication, if there is one.
    public static func drop(_ publication: String) -> String {
        "drop publication if exists \(SQLName.quoted(publication));\n"
    }

    /// In front of a question about the catalog: by its costs the server would compile it, which takes twenty times as long as
    /// the answer, and the gate's questions wait behind it. For that question alone, since a pooler may hand the session on.
    static let uncompiled = "set local jit = off; "

    /// Asks how `tables` stand; ``PublicationStanding/init(_:tables:)`` reads the answer. It reads catalogs alone:
    /// `pg_partition_tree()` would wait for whoever has a partition locked, a `VACUUM FULL` for example.
    public static func check(_ publication: String, _ tables: [TableName]) -> String {
        // There is no list of no values: without tables one of no name is asked for, which is none.
        let asked = tables.isEmpty ? [TableName(schema: "", name: "")] : tables
        let wanted = asked.enumerated().map { index, table in
            "(\(index), \(SQLText.literal(table.schema)), \(SQLText.literal(table.name)))"
        }
        let name = SQLText.literal(publication)
        return uncompiled + """
            with recursive wanted(index, schema, name) as (values \(wanted.joined(separator: ", "))),
            found as (
                select w.index, c.oid as id, c.relkind as kind, c.relispartition as is_partition
                from wanted w join pg_catalog.pg_namespace n on n.nspname = w.schema
                join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = w.name),
            below(index, id, kind) as (
                select index, id, kind from found
                union select b.index, c.oid, c.relkind
                from below b join pg_catalog.pg_inherits i on i.inhparent = b.id
                join pg_catalog.pg_class c on c.oid = i.inhrelid
                where b.kind = 'p' and \(SQLText.isAttached("i"))),
            member as (
                select b.index, c.oid as id, c.relreplident as identity
                from below b join pg_catalog.pg_class c on c.oid = b.id),
            attribute as (
                select m.index, m.id, a.attnum as number, a.attname as name, a.atttypid as type, a.atttypmod as modifier,
                    m.identity = 'f' or exists (
                        select from pg_catalog.pg_index i
                        where i.indrelid = m.id and i.indimmediate and i.indisvalid and a.attnum = any (i.indkey)
                            and (m.identity = 'd' and i.indisprimary or m.identity = 'i' and i.indisreplident)
                    ) as is_identity
                from member m join pg_catalog.pg_attribute a on a.attrelid = m.id
                where a.attnum > 0 and not a.attisdropped),
            published as (
                select n.oid as schema, p.tablename as name, pg_catalog.to_jsonb(p) as told
                from pg_catalog.pg_publication_tables p join pg_catalog.pg_namespace n on n.nspname = p.schemaname
                where p.pubname = \(name))
            select -1 as index, 'publication' as what, pg_catalog.concat(
                    case when pubinsert then 'i' end, case when pubupdate then 'u' end, case when pubdelete then 'd' end,
                    case when pubtruncate then 't' end) as one, pubviaroot::text as other
                from pg_catalog.pg_publication where pubname = \(name)
            union all select -1, 'membership', pg_catalog.concat_ws(' ', p.oid, p.xmin, (
                    select pg_catalog.string_agg(d.objid::text, ' ' order by d.objid) from pg_catalog.pg_depend d
                    where d.refclassid = 'pg_catalog.pg_publication'::pg_catalog.regclass and d.refobjid = p.oid)), null
                from pg_catalog.pg_publication p where p.pubname = \(name)
            union all select -1, 'position', (
                    case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn()
                        else pg_catalog.pg_current_wal_insert_lsn() end)::text, null
            union all select index, 'table', kind::text, null from found
            union all select a.index, 'column', a.name::text, pg_catalog.bool_and(a.is_identity)::text
                from attribute a group by a.index, a.name
            union all select a.index, 'type', a.name::text, a.type::text from found f join attribute a on a.id = f.id
            union all select f.index, 'published', p.told ->> 'rowfilter', null
                from found f join pg_catalog.pg_class c on c.oid = f.id
                join published p on p.schema = c.relnamespace and p.name = c.relname
            union all select f.index, 'publishes', listed.name, null
                from found f join pg_catalog.pg_class c on c.oid = f.id
                join published p on p.schema = c.relnamespace and p.name = c.relname,
                lateral pg_catalog.jsonb_array_elements_text(
                    case when pg_catalog.jsonb_typeof(p.told -> 'attnames') = 'array' then p.told -> 'attnames' end
                ) as listed(name)
            union all select f.index, 'root', n.nspname::text, c.relname::text
                from found f, lateral pg_catalog.pg_partition_ancestors(f.id) as above(id)
                join pg_catalog.pg_class c on c.oid = above.id join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                join published p on p.schema = c.relnamespace and p.name = c.relname
                where f.is_partition and above.id <> f.id
            union all select f.index, 'child', n.nspname::text, c.relname::text
                from found f join pg_catalog.pg_inherits i on i.inhparent = f.id
                join pg_catalog.pg_class c on c.oid = i.inhrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                where f.kind <> 'p'
            union all select m.index, 'print', pg_catalog.md5(pg_catalog.string_agg(
                    pg_catalog.concat_ws(' ', m.id, m.identity, pg_catalog.pg_relation_filenode(m.id), (
                        select pg_catalog.string_agg(
                            pg_catalog.concat_ws(' ', a.number, a.name, a.type, a.modifier, a.is_identity), ','
                            order by a.number)
                        from attribute a where a.index = m.index and a.id = m.id)), ';' order by m.id)), null
                from member m group by m.index
            """
    }

    /// Asks how the columns of `tables` are written as keys; ``PublicationStanding/forms(_:)`` reads the answer.
    static func columnTypes(_ tables: [TableName]) -> String {
        if tables.isEmpty { return "select where false" }
        return tables.enumerated().map { index, table in
            // By parts, so that nothing is looked for in a name.
            let sql = ColumnType.ofColumns.split(separator: "$1").map { part in
                part.split(separator: "$2").joined(separator: SQLText.literal(table.name))
            }.joined(separator: SQLText.literal(table.schema))
            return "select \(index), one.* from (\(sql)) as one(a, b, c, d, e, f, g)"
        }.joined(separator: " union all ")
    }
}

extension TableName {
    /// In double quotes, for SQL that a program writes.
    var quoted: String { "\(SQLName.quoted(schema)).\(SQLName.quoted(name))" }
}
