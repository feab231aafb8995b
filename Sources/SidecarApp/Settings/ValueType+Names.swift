import Invalidation
import Postgres

// Names in the database.

extension ValueType<TableName> {
    /// A table with its schema, written as in SQL.
    static let table = ValueType(
        expects: "a table with its schema, as in SQL: public.account",
        parse: { text throws(WrongValue) in
            do throws(NameMistake) {
                return try TableName(sql: text)
            } catch {
                throw WrongValue(why: error.why)
            }
        },
        render: { $0.description }
    )
}

extension ValueType<String> {
    /// A column, written as in SQL.
    static let column = ValueType(
        expects: "a column, as in SQL",
        parse: { text throws(WrongValue) in
            let names: [String]
            do throws(NameMistake) {
                names = try SQLName.parts(of: text)
            } catch {
                throw WrongValue(why: error.why)
            }
            guard names.count == 1 else {
                throw WrongValue(why: "is not a column; write its name alone, in double quotes if it has a dot")
            }
            return names[0]
        },
        render: { SQLName.written($0) }
    )

    /// A name that is taken as it stands, in no quotes.
    static let name = ValueType(
        expects: "a name of at most 63 bytes",
        parse: { text throws(WrongValue) in
            let name = try ValueType.text.parse(text)
            guard name.utf8.count <= SQLName.limit else {
                throw WrongValue(why: "has \(name.utf8.count) bytes; PostgreSQL's names have \(SQLName.limit) at most")
            }
            return name
        },
        render: { $0 }
    )
}
