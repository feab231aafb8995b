import Postgres

extension ChangeTriggers {
    /// Makes the function, or makes it right.
    var createFunction: String {
        let settings = settings.map { setting in
            let parts = setting.split(separator: "=", maxSplits: 1)
            return "\n    set \(parts[0]) = \(parts[1])"
        }
        return """
            create or replace function \(function)() returns pg_catalog.trigger
                language plpgsql\(settings.joined())
            as \(SQLText.dollarQuoted(body));
            """
    }

    /// A payload that says that any row may have changed.
    var allPayload: String { "\(NotifyPayload.version)a\(text(table.schema))\(text(table.name))" }

    /// The beginning of a payload with keys of `columns`.
    private func head(_ columns: [Column]) -> String {
        let names = columns.map { text($0.name) }.joined()
        return "\(NotifyPayload.version)k\(text(table.schema))\(text(table.name))\(columns.count);\(names)"
    }

    /// A text as payloads have it.
    private func text(_ text: String) -> String {
        let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
        if server.isUTF8 || isASCII { return "\(text.utf8.count):\(text)" }
        let digits = text.utf8.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        return "\(digits.utf8.count)x\(digits)"
    }

    /// The function's text. Whatever goes wrong in it, such as a column that is no longer there, the statement that fired it goes
    /// on: then any row may have changed.
    var body: String {
        let (declarations, telling) = parts
        return """

            -- Tells pgsidecar which rows of \(comment) changed. Written by `pgsidecar sql install`.
            \(meaningLine)
            declare
                channel constant text := \(SQLText.literal(channel));
                any_row constant text := \(SQLText.literal(allPayload));
            \(declarations)begin
                if tg_op = 'TRUNCATE' or tg_nargs > 0 then
                    perform pg_notify(channel, any_row);
                    return null;
                end if;
            \(telling)
                return null;
            exception when others then
                begin
                    perform pg_notify(channel, any_row);
                exception when others then
                    raise warning 'pgsidecar was not told of a change: %', sqlerrm;
                end;
                return null;
            end
            """
    }

    /// The line that tells ``meaning``.
    var meaningLine: String { "-- Meaning: \(meaning)" }

    /// The table and the columns, in one line.
    private var comment: String {
        let names = ([table.description] + (columns.isEmpty ? [] : ["by"]) + columns.map(SQLName.written))
        return names.joined(separator: " ").map { $0.isNewline ? " " : String($0) }.joined()
    }

    private var parts: (declarations: String, telling: String) {
        switch telling {
        case .anyRow: return ("", anyRow(SQLText.literal(head([]))))
        case .all: return ("", anyRow("any_row"))
        case .keys(let columns):
            let room = server.payloadLimit - head(columns).utf8.count
            // No room is left for a key beside so many names.
            guard room >= 100 else { return ("", anyRow("any_row")) }
            return (Self.declarations(head(columns)), keys(columns, room: room))
        }
    }

    /// Tells `payload` if there was any row.
    private func anyRow(_ payload: String) -> String {
        """
            if tg_op = 'DELETE' then
                if not exists (select from old_rows) then return null; end if;
            elsif not exists (select from new_rows) then
                return null;
            end if;
            perform pg_notify(channel, \(payload));
        """
    }

    private static func declarations(_ head: String) -> String {
        """
            head constant text := \(SQLText.literal(head));
            message text := head;
            seen bigint;
            longest int;
            typed boolean;
            keys text[];
            key text;

        """
    }

    /// Tells the keys, each once, in as many messages as it takes. An update tells the old ones and the new ones.
    private func keys(_ columns: [Column], room: Int) -> String {
        """
            if tg_op = 'INSERT' then
        \(collect(columns, ["new_rows"], room: room))
            elsif tg_op = 'DELETE' then
        \(collect(columns, ["old_rows"], room: room))
            else
        \(collect(columns, ["old_rows", "new_rows"], room: room))
            end if;
            if seen = 0 then
                return null;
            elsif seen > \(Self.rowLimit) or longest > \(room) or not typed then
                perform pg_notify(channel, any_row);
                return null;
            end if;
            foreach key in array keys loop
                if octet_length(message) + octet_length(key) > \(server.payloadLimit) then
                    perform pg_notify(channel, message);
                    message := head;
                end if;
                message := message || key;
            end loop;
            perform pg_notify(channel, message);
        """
    }

    private func collect(_ columns: [Column], _ tables: [String], room: Int) -> String {
        let texts = columns.enumerated().map { "\($1.expression) as k\($0)" }.joined(separator: ", ")
        // A column's type may have been changed since: then its texts are not those that keys have.
        let typed = columns.map { column in
            "pg_typeof(r.\(SQLName.quoted(column.name))) = \(SQLText.literal(column.type))::regtype"
        }.joined(separator: " and ")
        let rows = tables.map { "select \(texts), \(typed) as typed from \($0) r" }
            .joined(separator: "\n                    union all ")
        let parts = columns.indices.map { part("s.k\($0)") }.joined(separator: " || ")
        // The limit has each text computed once, and no more of them than can be told.
        return """
                    select count(*), max(octet_length(t.key)), bool_and(t.typed),
                        array_agg(distinct t.key collate "C") filter (where octet_length(t.key) <= \(room))
                    into seen, longest, typed, keys
                    from (
                        select \(parts) as key, s.typed
                        from (
                            \(rows)
                            limit \(Self.rowLimit + 1)
                        ) s
                    ) t;
            """
    }

    /// SQL of a text as payloads have it.
    private func part(_ text: String) -> String {
        if server.isUTF8 { return "coalesce(octet_length(\(text)) || ':' || \(text), '-')" }
        let digits = "encode(convert_to(\(text), 'UTF8'), 'hex')"
        return "coalesce(length(\(digits)) || 'x' || \(digits), '-')"
    }
}
