/// The function and the triggers that tell of a table's changes, by the columns of one rule.
struct ChangeTriggers: Sendable, Equatable {
    /// What is told of rows that changed.
    enum Telling: Sendable, Equatable {
        /// The texts of these columns.
        case keys([Column])
        /// That there are some: for rules without a key.
        case anyRow
        /// That any row may have changed: for keys that have no form.
        case all
    }

    /// A column of the key.
    struct Column: Sendable, Equatable {
        let name: String
        /// Its type, as SQL writes it with its schema.
        let type: String
        /// SQL of its text, in which the row is `r`.
        let expression: String
        /// Settings that the expression needs.
        var settings: [String] = []
    }

    /// The table of the rule.
    let table: TableName
    /// The rule's columns, sorted.
    let columns: [String]
    /// What is told.
    let telling: Telling
    /// The channel that is notified.
    let channel: String
    /// What the server is like.
    let server: ServerFacts

    /// The most rows of one statement that are told by their keys; of more, only that any row may have changed.
    static let rowLimit = 10_000
    static let schema = "pgsidecar"

    /// Tells it from those of other tables, columns and channels.
    var identity: String { Self.identity(of: table, columns: columns, channel: channel) }

    private static func identity(of table: TableName, columns: [String], channel: String) -> String {
        let texts = [table.schema, table.name, channel] + columns
        return Self.digest(texts)
    }

    /// What the function's calls mean to whoever listens, as a digest that stands in its text: while it is the same, how the
    /// function does it may differ from one version of pgsidecar to the next.
    var meaning: String {
        var texts = [NotifyPayload.version, table.schema, table.name, channel, server.isUTF8 ? "UTF8" : "other"]
        switch telling {
        case .keys(let columns): texts += ["keys"] + columns.flatMap { [$0.name, $0.type, $0.expression] }
        case .anyRow: texts.append("any row")
        case .all: texts.append("all")
        }
        return Self.digest(texts)
    }

    /// FNV-1a of texts without zero bytes, in hexadecimal.
    private static func digest(_ texts: [String]) -> String {
        let hash = texts.joined(separator: "\0").utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// The name of the function for a rule, which begins with what people can recognise.
    static func functionName(of table: TableName, columns: [String], channel: String) -> String {
        let plain = table.name.utf8.filter { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "_")
        }
        let identity = identity(of: table, columns: columns, channel: channel)
        return "changed_\(String(decoding: plain.prefix(30), as: UTF8.self))_\(identity)"
    }

    /// The function's name.
    var functionName: String { Self.functionName(of: table, columns: columns, channel: channel) }

    /// The function with its schema, in quotes where it needs them.
    var function: String { "\(Self.schema).\(functionName)" }

    /// The settings that the function has.
    var settings: [String] {
        var settings = ["search_path=pg_catalog, pg_temp"]
        if case .keys(let columns) = telling {
            for setting in columns.flatMap(\.settings) where !settings.contains(setting) { settings.append(setting) }
        }
        return settings
    }

    // MARK: Triggers

    /// What a trigger is called for.
    enum Event: String, CaseIterable, Sendable {
        case insert, update, delete, truncate

        /// `pg_trigger.tgtype` of a statement's trigger that runs after it.
        var type: Int {
            switch self {
            case .insert: 4
            case .delete: 8
            case .update: 16
            case .truncate: 32
            }
        }

        /// Which transition tables it can have: one of the old rows, one of the new ones.
        var rows: (old: Bool, new: Bool) {
            switch self {
            case .insert: (false, true)
            case .update: (true, true)
            case .delete: (true, false)
            case .truncate: (false, false)
            }
        }
    }

    static let oldRows = "old_rows"
    static let newRows = "new_rows"

    /// A trigger's name.
    func triggerName(_ event: Event) -> String { "pgsidecar_\(identity)_\(event)" }

    /// Makes a trigger, or makes it right. Without `seesRows` it can only tell that any row may have changed.
    func create(_ event: Event, on relation: TableName, seesRows: Bool) -> String {
        let name = triggerName(event)
        var tables = ""
        if seesRows, event.rows.old { tables += " old table as \(Self.oldRows)" }
        if seesRows, event.rows.new { tables += " new table as \(Self.newRows)" }
        return """
            create or replace trigger \(name)
                after \(event) on \(relation.quoted)\(tables.isEmpty ? "" : " referencing" + tables)
                for each statement execute function \(function)(\(seesRows || event == .truncate ? "" : "'all'"));
            alter table only \(relation.quoted) enable always trigger \(name);
            """
    }
}

/// What a database server is like, as far as triggers depend on it.
struct ServerFacts: Sendable, Equatable {
    /// Whether texts are in UTF-8. If not, they are sent in hexadecimal digits, since the server converts payloads.
    var isUTF8 = true
    /// The bytes of a payload at most.
    var payloadLimit = 7_999
}
