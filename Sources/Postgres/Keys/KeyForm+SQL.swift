extension KeyForm {
    /// SQL that gives a value's text in this form, whatever the session's settings are; null for null.
    ///
    /// It may stand in any query: names are qualified, and nothing in it depends on `search_path`,
    /// `standard_conforming_strings`, `DateStyle`, `TimeZone` or the like. The one exception is a float in a session whose
    /// `extra_float_digits` is below one, where it is null; who installs it in a function sets that there.
    ///
    /// - Parameter operand: An expression of the type: a column, quoted where needed, or a parameter.
    public func expression(of operand: String) -> String {
        let value = "(\(operand))"
        let text = "\(value)::pg_catalog.text"
        switch self {
        case .integer, .oid, .transaction, .uuid, .text, .name, .time, .timeWithZone, .hardwareAddress, .bits, .tid,
            .logPosition:
            return text
        // A cast to text takes the blanks away.
        case .blankPadded: return text
        case .boolean: return "case when \(value) then 't' when not \(value) then 'f' end"
        case .caseless: return "pg_catalog.lower(\(text) collate pg_catalog.\"default\")"
        case .bytes: return "(pg_catalog.chr(92) || 'x' || pg_catalog.encode(\(value), 'hex'))"
        case .numeric: return "pg_catalog.trim_scale(\(value))::pg_catalog.text"
        // Adding zero makes one of both zeros.
        case .float(let bytes):
            let zero = "'0'::pg_catalog.float\(bytes)"
            return """
                case when pg_catalog.current_setting('extra_float_digits')::pg_catalog.int4 > 0 \
                then (\(value) operator(pg_catalog.+) \(zero))::pg_catalog.text end
                """
        // JSON has dates in ISO 8601 whatever `DateStyle` is.
        case .date: return "pg_catalog.btrim(pg_catalog.to_json(\(value))::pg_catalog.text, '\"')"
        case .timestamp: return Self.timestamp(value)
        case .timestampWithZone:
            let local = Self.timestamp("pg_catalog.timezone('UTC', \(value))")
            return """
                pg_catalog.replace(pg_catalog.replace(\(local) || '+00', ' BC+00', '+00 BC'), \
                'infinity+00', 'infinity')
                """
        // Its cast to text has the length of every mask.
        case .address: return "pg_catalog.abbrev(\(value)::pg_catalog.inet)"
        }
    }

    private static func timestamp(_ value: String) -> String {
        "pg_catalog.replace(pg_catalog.btrim(pg_catalog.to_json(\(value))::pg_catalog.text, '\"'), 'T', ' ')"
    }
}
