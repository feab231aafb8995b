import CacheCore

/// PostgreSQL's five-character code for what went wrong.
struct SQLState: Hashable, Sendable, ExpressibleByStringLiteral {
    let code: String

    init(_ code: String) {
        self.code = code
    }

    init(stringLiteral code: String) {
        self.code = code
    }

    /// Codes that this target tells apart; the names are PostgreSQL's (appendix A of its documentation).
    static let featureNotSupported: SQLState = "0A000"
    static let invalidStatementName: SQLState = "26000"
    static let duplicatePreparedStatement: SQLState = "42P05"
    static let insufficientPrivilege: SQLState = "42501"
    static let indeterminateDatatype: SQLState = "42P18"
    static let invalidTextRepresentation: SQLState = "22P02"
    static let syntaxError: SQLState = "42601"
    static let undefinedColumn: SQLState = "42703"
    static let undefinedFunction: SQLState = "42883"
    static let undefinedTable: SQLState = "42P01"
    static let queryCanceled: SQLState = "57014"
    static let readOnlyTransaction: SQLState = "25006"

    /// Class 22 where the text of a parameter is to blame.
    static let badParameterText: Set<SQLState> = [
        "22P02", "22P03", "22P05", "22001", "22003", "22007", "22008", "22009", "22015", "22018", "22021", "22025",
        "22026", "22027", "22030", "22032",
    ]

    /// The first two characters.
    var codeClass: Substring { code.prefix(2) }

    /// What it means, for the codes that users meet.
    var meaning: String? {
        switch self {
        case .featureNotSupported: "feature not supported"
        case .insufficientPrivilege: "insufficient privilege"
        case .undefinedColumn: "undefined column"
        case .undefinedFunction: "undefined function"
        case .undefinedTable: "undefined table"
        case "25006": "the query writes, and a getter only reads"
        case "40001": "serialization failure"
        case "40P01": "deadlock detected"
        case "55P03": "lock not available"
        default: nil
        }
    }
}

/// What the server said about a statement. Its texts may hold values and SQL.
struct PostgresError: Error, Sendable {
    let state: SQLState
    let severity: String
    let message: String
    let hint: String?
    let context: String?
    /// In characters of the statement that was sent, from 1.
    let position: Int?
    /// The function in PostgreSQL's source that raised it.
    let sourceFunction: String?

    /// Whether it ends the session: the server goes down, is starting, was told to end this one, or is gone.
    var endsSession: Bool {
        severity == "FATAL" || severity == "PANIC" || state.code.isEmpty || state.codeClass == "08"
            || state.code.hasPrefix("57P0")
    }

    /// Whether a prepared statement's result no longer has the columns that it had when it was prepared.
    var isResultTypeChange: Bool {
        state == .featureNotSupported && sourceFunction == "RevalidateCachedQuery"
    }

    /// Whether the statement's tables, columns or functions are not as its SQL says.
    var isSchemaMismatch: Bool {
        state == .undefinedTable || state == .undefinedColumn || state == .undefinedFunction
    }

    /// Whether the keys of a batch may fare better one by one: not when the server's state is to blame (transactions,
    /// deadlocks, resources, locks, cancellation), which more queries make worse. Whatever else is wrong may be wrong with
    /// one key (a `regclass` of no table is an undefined table), or with the batch query alone.
    var mayConcernOneKey: Bool {
        !["08", "25", "28", "40", "53", "55", "57"].contains(state.codeClass)
    }

    /// The number of the parameter that could not be read. PostgreSQL 14 and later name it in the context; the sentence
    /// is translated, `$1` is not.
    var parameter: Int? {
        guard let context, let sign = context.firstIndex(of: "$") else { return nil }
        return Int(context[context.index(after: sign)...].prefix { $0.isASCII && $0.isNumber })
    }

    /// Everything, for debug logs.
    var detail: String {
        [state.code.isEmpty ? nil : "SQLSTATE \(state.code)", message, context, hint]
            .compactMap { $0 }.joined(separator: "; ")
    }

    /// The error as those who wait for a load of `getter` get it.
    func loadError(for getter: QueryGetter) -> LoadError {
        if SQLState.badParameterText.contains(state) {
            return LoadError(.badKey, getter.badPartText(parameter, state), detail: detail)
        }
        if state == .queryCanceled {
            return LoadError(
                .timedOut, "\(getter.name): the database cancelled the query (its statement timeout)", detail: detail)
        }
        if state == .readOnlyTransaction {
            return LoadError(
                .query,
                "\(getter.name): the query would write, and a getter only reads, unless database.read_only is off",
                detail: detail)
        }
        if endsSession || state.codeClass == "53" {
            return .unavailable(getter.name, detail: detail)
        }
        let meaning = state.meaning.map { ", \($0)" } ?? ""
        return LoadError(
            .query, "\(getter.name): the database refused the query (SQLSTATE \(state.code)\(meaning))", detail: detail)
    }
}

extension LoadError {
    static func unavailable(_ group: String, detail: String?) -> LoadError {
        LoadError(.unavailable, "\(group): the database cannot be reached", detail: detail)
    }

    /// The query had its time, and the server not even ended it when it was asked to.
    static func hung(_ group: String) -> LoadError {
        LoadError(.unavailable, "\(group): the database does not answer")
    }

    /// The query had its time, and the server ended it when it was asked to.
    static func cancelled(_ group: String, after time: Duration) -> LoadError {
        LoadError(.timedOut, "\(group): the query ran longer than load_timeout (\(time)) and was cancelled")
    }

    /// It was never sent: every connection that it could go to is held by queries of `holders`.
    static func waitedBehind(_ holders: [String], _ group: String, for time: Duration) -> LoadError {
        let reason =
            holders.isEmpty
            ? "no database connection became free"
            : "queued behind slow queries of \(holders.joined(separator: ", "))"
        return LoadError(.busy, "\(group): \(reason) for as long as load_timeout allows (\(time))")
    }

    static func tooManyWaiting(_ group: String) -> LoadError {
        LoadError(.busy, "\(group): too many loads are waiting for the database")
    }

    static func stopped(_ group: String) -> LoadError {
        LoadError(.unavailable, "\(group): the database connections are closed")
    }
}
