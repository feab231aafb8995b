import CLibPQ

/// Owns one libpq result and frees it at its end.
struct PQResult: ~Copyable {
    private let pointer: OpaquePointer

    /// Takes over what libpq returned.
    init(takingOver pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQclear(pointer)
    }

    /// What a result says.
    enum Status {
        /// A query's rows, all of them.
        case rows
        /// A command without rows was done.
        case done
        /// An error of the server, or of libpq when the connection is lost.
        case error
        /// Not run, because something before it in the same transaction failed.
        case aborted
        /// The end of what one sync covers.
        case sync
    }

    /// What this result says. Whatever was not asked for (COPY) counts as an error.
    var status: Status {
        switch PQresultStatus(pointer) {
        case PGRES_TUPLES_OK: .rows
        case PGRES_COMMAND_OK: .done
        case PGRES_PIPELINE_SYNC: .sync
        case PGRES_PIPELINE_ABORTED: .aborted
        default: .error
        }
    }

    /// Whether the connection became a stream of frames in both directions.
    var beginsStream: Bool { PQresultStatus(pointer) == PGRES_COPY_BOTH }

    /// The memory that it takes, in bytes: about the length of what the server sent.
    var byteCount: Int { PQresultMemorySize(pointer) }

    // MARK: Rows

    /// The number of rows.
    var rowCount: Int { Int(PQntuples(pointer)) }

    /// The number of columns.
    var columnCount: Int { Int(PQnfields(pointer)) }

    /// Whether a field is null; true also outside the result.
    func isNull(row: Int, column: Int) -> Bool {
        PQgetisnull(pointer, Int32(clamping: row), Int32(clamping: column)) == 1
    }

    /// The bytes of a field; empty when it is null.
    @_lifetime(borrow self)
    func field(row: Int, column: Int) -> RawSpan {
        let (row, column) = (Int32(clamping: row), Int32(clamping: column))
        guard let start = PQgetvalue(pointer, row, column) else { return RawSpan() }
        // The bytes belong to the result, which the span cannot outlive.
        let span = RawSpan(_unsafeStart: start, byteCount: Int(PQgetlength(pointer, row, column)))
        return _overrideLifetime(span, borrowing: self)
    }

    /// The bytes of a column's name.
    @_lifetime(borrow self)
    func columnName(_ column: Int) -> RawSpan {
        guard let start = PQfname(pointer, Int32(clamping: column)) else { return RawSpan() }
        // As above; libpq ends names with a zero byte.
        var length = 0
        while start[length] != 0 { length += 1 }
        return _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: length), borrowing: self)
    }

    /// Whether a column is a `bytea`, or of a domain over it: a domain's columns come as its base type.
    func isBytea(_ column: Int) -> Bool {
        PQftype(pointer, Int32(clamping: column)) == 17
    }

    /// A field as a string.
    func text(row: Int, column: Int) -> String {
        field(row: row, column: column).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// A field as a number of at most nine digits; nil when it is none.
    func number(row: Int, column: Int) -> Int? {
        field(row: row, column: column).withUnsafeBytes { bytes in
            guard !bytes.isEmpty, bytes.count <= 9 else { return nil }
            var number = 0
            for byte in bytes {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                number = number * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return number
        }
    }

    /// Every row, each field as its text, nil for NULL.
    var texts: [[String?]] {
        (0..<rowCount).map { row in
            (0..<columnCount).map { isNull(row: row, column: $0) ? nil : text(row: row, column: $0) }
        }
    }

    // MARK: Description of a statement

    /// The types of its parameters.
    var parameterTypes: [UInt32] {
        (0..<PQnparams(pointer)).map { PQparamtype(pointer, $0) }
    }

    /// The names and types of its columns.
    var columns: [(name: String, type: UInt32)] {
        (0..<columnCount).map { column in
            let name = columnName(column).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
            return (name, PQftype(pointer, Int32(clamping: column)))
        }
    }

    // MARK: Error

    /// What the server, or libpq, said. To be asked when ``status`` is `.error`.
    var error: PostgresError {
        PostgresError(
            state: SQLState(errorField(.sqlState) ?? ""),
            severity: errorField(.severity) ?? "",
            message: errorField(.message) ?? ownText,
            hint: errorField(.hint),
            context: errorField(.context),
            position: errorField(.position).flatMap { Int($0) },
            sourceFunction: errorField(.sourceFunction))
    }

    private var ownText: String {
        guard let text = PQresultErrorMessage(pointer) else { return "" }
        return String(cString: text).trimmingLineEnds()
    }

    /// The codes of `PG_DIAG_...` in libpq's `postgres_ext.h`, which are macros that Swift does not import.
    private enum ErrorField: UInt8 {
        case severity = 0x56  // V, the one that is not translated
        case sqlState = 0x43  // C
        case message = 0x4d  // M
        case hint = 0x48  // H
        case context = 0x57  // W
        case position = 0x50  // P
        case sourceFunction = 0x52  // R
    }

    private func errorField(_ field: ErrorField) -> String? {
        guard let text = PQresultErrorField(pointer, Int32(field.rawValue)) else { return nil }
        return String(cString: text)
    }
}
