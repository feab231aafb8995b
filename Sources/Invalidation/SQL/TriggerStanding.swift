package import Postgres

/// How a table's triggers compare with what a rule needs.
public struct TriggerStanding: Sendable {
    /// The rule.
    public let rule: TableRule
    let catalog: TriggerCatalog
    let triggers: ChangeTriggers

    /// Asks how the triggers stand, as few as will do for all of `rules`. Blocks.
    package static func all(
        for rules: [TableRule], channel: String, in session: SQLSession
    ) throws(SQLFailure) -> [TriggerStanding] {
        try needed(for: rules).map { rule throws(SQLFailure) in
            try TriggerStanding(of: rule, channel: channel, in: session)
        }
    }

    /// Asks how the triggers of a rule stand. Blocks.
    package init(of rule: TableRule, channel: String, in session: SQLSession) throws(SQLFailure) {
        let columns = try KeyColumns.read(of: rule.table, in: session)
        let function = ChangeTriggers.functionName(of: rule.table, columns: rule.key.sorted(), channel: channel)
        let catalog = try TriggerCatalog(of: rule.table, columns: columns, function: function, in: session)
        self.init(of: rule, channel: channel, catalog: catalog)
    }

    init(of rule: TableRule, channel: String, catalog: TriggerCatalog) {
        self.rule = rule
        self.catalog = catalog
        let names = rule.key.sorted()
        let columns = names.map { catalog.columns[$0] ?? nil }
        let telling: ChangeTriggers.Telling =
            names.isEmpty ? .anyRow : columns.contains(nil) ? .all : .keys(columns.compactMap { $0 })
        triggers = ChangeTriggers(
            table: rule.table, columns: names, telling: telling, channel: channel, server: catalog.server)
    }

    /// Why changes of this table can't be told by triggers at all; nil when they can.
    public var mistake: String? {
        let table = rule.table
        guard let asked = catalog.asked else { return "there is no table \(table)" }
        switch asked.kind {
        case "r", "p": break
        case "v": return "\(table) is a view; list the tables that it reads"
        case "m": return "\(table) is a materialized view, of which nothing tells when it is refreshed; list a table"
        case "f": return "\(table) is a foreign table, whose rows change elsewhere; list a table of this database"
        case _: return "\(table) is no table"
        }
        if asked.isTemporary { return "\(table) is a temporary table, which no other session sees" }
        if let subscribed = catalog.relations.first(where: \.isSubscribed) {
            return "a subscription writes to \(subscribed.name), for which PostgreSQL calls no statement's trigger; "
                + "use 'source: logical'"
        }
        if let missing = rule.key.first(where: { catalog.columns[$0] == nil }) {
            return "\(table) has no column \(SQLName.written(missing))"
        }
        return nil
    }

    /// What may be wrong although the triggers are there.
    public var warnings: [String] {
        var warnings: [String] = []
        if !catalog.anybodyNotifies {
            warnings.append(
                "not everybody may notify, and a writer has to; run: grant execute on function pg_notify(text, text) to public"
            )
        }
        if case .all = triggers.telling, mistake == nil {
            let names = rule.key.filter { (catalog.columns[$0] ?? nil) == nil }.map(SQLName.written)
            warnings.append(
                "\(rule.table): equal values of \(names.joined(separator: ", ")) may have several texts, so any change of the "
                    + "table flushes the group")
        }
        return warnings
    }

    /// Why changes of the table are not all heard of, as far as it matters for what is kept; nil when they are. Statements on a
    /// partition itself, or a child, are not looked at: ``unheard`` names those of which nothing is heard.
    public var deafness: String? {
        if let mistake { return mistake }
        if !isFunctionTelling { return "the function of the triggers on \(rule.table) is missing or differs" }
        let wrong = wrongTriggers.first { !$0.relation.isBelow }
        return wrong.map { "the \($0.event) trigger on \($0.relation.name) is missing or differs" }
    }

    /// Changes with all of the table, its partitions and its children that no trigger tells.
    var print: String {
        catalog.relations.filter { $0.isAsked || $0.isBelow }.map(\.print).joined()
    }

    /// Partitions and children whose own statements are not heard of.
    public var unheard: [TableName] {
        var names: [TableName] = []
        for (relation, _) in wrongTriggers where relation.isBelow && !names.contains(relation.name) {
            names.append(relation.name)
        }
        return names
    }

    /// The rules whose triggers will do for all of `rules`: each once, only one for the same columns in another order, and
    /// none without a key where a table's keys are told.
    static func needed(for rules: [TableRule]) -> [TableRule] {
        var needed: [TableRule] = []
        for rule in rules
        where !needed.contains(where: { $0.table == rule.table && $0.key.sorted() == rule.key.sorted() }) {
            needed.append(rule)
        }
        return needed.filter { rule in
            !rule.key.isEmpty || !needed.contains { $0.table == rule.table && !$0.key.isEmpty }
        }
    }

    /// What has to be made or made right, in words; empty when everything is there.
    public var differences: [String] {
        var differences: [String] = []
        if !isFunctionRight {
            let verb = catalog.functions[triggers.functionName] == nil ? "missing" : "differs"
            differences.append("function \(triggers.function): \(verb)")
        }
        for (relation, event) in wrongTriggers {
            let name = triggers.triggerName(event)
            let found = relation.triggers[name]
            let verb = found == nil ? "missing" : found?.enabled == "A" ? "differs" : "not enabled always"
            differences.append("trigger \(name) on \(relation.name): \(verb)")
        }
        return differences
    }

    /// The SQL that makes everything right, to be run in a transaction; nil when it is.
    public var installation: String? {
        guard mistake == nil, !differences.isEmpty else { return nil }
        var steps: [String] = []
        if !catalog.hasSchema { steps.append("create schema if not exists \(ChangeTriggers.schema);") }
        if !isFunctionRight { steps.append(triggers.createFunction) }
        steps += wrongTriggers.map { triggers.create($1, on: $0.name, seesRows: !$0.hidesRows) }
        // Whoever listens already knows nothing of what was changed before.
        steps.append(
            "select pg_catalog.pg_notify(\(SQLText.literal(triggers.channel)), \(SQLText.literal(triggers.allPayload)));"
        )
        return Self.transaction(steps)
    }

    /// The SQL that removes what is there of it, to be run in a transaction; nil when there is nothing. What other rules use
    /// stays.
    public var removal: String? {
        var steps: [String] = []
        let triggersThere = catalog.relations.flatMap { relation in
            relation.triggers.keys.sorted().map { (table: relation.name, trigger: $0) }
        }
        for (table, trigger) in triggersThere + catalog.strays {
            steps.append("drop trigger if exists \(SQLName.quoted(trigger)) on \(table.quoted);")
        }
        if catalog.functions[triggers.functionName] != nil {
            steps.append("drop function if exists \(triggers.function)();")
        }
        guard !steps.isEmpty else { return nil }
        steps.append(
            "select pg_catalog.pg_notify(\(SQLText.literal(triggers.channel)), \(SQLText.literal(triggers.allPayload)));"
        )
        return Self.transaction(steps)
    }

    /// SQL that removes our schema if nothing is left in it, to be run in a transaction.
    public static let schemaRemoval = transaction([
        """
        do \(SQLText.dollarQuoted("""

            begin
                drop schema if exists \(ChangeTriggers.schema);
            exception when dependent_objects_still_exist then
                null;
            end
            """));
        """
    ])

    /// One installation waits for another, and none waits long for a table's lock, since whoever writes to the table queues
    /// behind it.
    private static func transaction(_ steps: [String]) -> String {
        """
        set local lock_timeout = '5s';
        select pg_catalog.pg_advisory_xact_lock(7020073);
        \(steps.joined(separator: "\n"))

        """
    }

    /// Whether it tells what one of this version would, however it does it.
    private var isFunctionTelling: Bool {
        guard let found = catalog.functions[triggers.functionName] else { return false }
        return found.isPlain && found.body.contains("\n\(triggers.meaningLine)\n")
            && found.settings == triggers.settings
    }

    private var isFunctionRight: Bool {
        guard let found = catalog.functions[triggers.functionName] else { return false }
        return found.isPlain && found.body == triggers.body && found.settings == triggers.settings
    }

    private var wrongTriggers: [(relation: TriggerCatalog.Relation, event: ChangeTriggers.Event)] {
        catalog.relations.flatMap { relation in
            // PostgreSQL has no triggers for the truncation of foreign tables.
            ChangeTriggers.Event.allCases.filter { event in
                !(relation.kind == "f" && event == .truncate)
                    && relation.triggers[triggers.triggerName(event)] != wanted(event, on: relation)
            }.map { (relation, $0) }
        }
    }

    private func wanted(
        _ event: ChangeTriggers.Event, on relation: TriggerCatalog.Relation
    ) -> TriggerCatalog.Trigger {
        let sees = !relation.hidesRows
        return TriggerCatalog.Trigger(
            type: event.type,
            oldRows: sees && event.rows.old ? ChangeTriggers.oldRows : "",
            newRows: sees && event.rows.new ? ChangeTriggers.newRows : "",
            argumentCount: sees || event == .truncate ? 0 : 1, enabled: "A", isConditional: false)
    }
}
