public import Postgres

/// A table's schema and name, as the catalog has them: no quotes, nothing folded.
public struct TableName: Sendable, Hashable, CustomStringConvertible {
    /// The schema.
    public var schema: String
    /// The table's own name.
    public var name: String

    /// A table of these names.
    public init(schema: String, name: String) {
        self.schema = schema
        self.name = name
    }

    /// Reads `schema.table` as SQL does: what is not in double quotes is folded to lower case.
    public init(sql text: String) throws(NameMistake) {
        let names = try SQLName.parts(of: text)
        guard names.count == 2 else {
            throw NameMistake(
                why: names.count == 1
                    ? "has no schema; write 'public.\(text)' if that is where the table is"
                    : "has too many dots; write 'schema.table', and a name that has a dot in double quotes")
        }
        self.init(schema: names[0], name: names[1])
    }

    /// As SQL takes it: `public.account`, `"Sales"."Order.Line"`.
    public var description: String { "\(SQLName.written(schema)).\(SQLName.written(name))" }
}
