/// A type whose values can be keys, with texts of them that its input accepts.
struct KeyType: Sendable {
    let name: String
    /// Several of one value among them, and some of no row.
    let keys: [String]
    /// Whether the parameter's type has to be said, since the server can't infer it.
    var isCast = false
    /// Whether several are asked for as texts: PostgreSQL has no arrays of arrays, and `unnest` takes composites apart.
    var isText = false
    /// What has to be there first.
    var setup = ""

    init(_ name: String, isCast: Bool = false, setup: String = "", _ keys: [String]) {
        self.name = name
        self.keys = keys
        self.isCast = isCast
        self.setup = setup
    }

    /// Every type of PostgreSQL 15 that has an equality, then what users make of them: lengths, domains, enums, composites,
    /// arrays, ranges, collations.
    static let all: [KeyType] = plain + made

    private static let plain: [KeyType] = [
        KeyType("smallint", ["7", "007", "+7", " 7 ", "-3", "-03", "0", "-0", "9"]),
        KeyType("integer", ["7", "007", "+7", "\t7\n", "-3", "-03", "0", "-0", "2147483647", "9"]),
        KeyType("bigint", ["7", "007", "9223372036854775807", "+9223372036854775807", "-1", "9"]),
        KeyType(
            "numeric",
            ["7", "7.0", "07.00", "7e0", "70e-1", ".5", "0.5", "-0", "0.00", "NaN", "nan", "inf", "Infinity"]),
        KeyType("real", ["7", "7.0", "7e0", "0.1", ".1", "-0", "0", "NaN", "nan", "inf", "-Infinity", "3.4e38"]),
        KeyType(
            "double precision",
            ["7", "7.0", "0.1", "0.10000000000000001", "-0", "0", "NaN", "nan", "inf", "-Infinity", "1e308", "5e-324"]),
        KeyType("money", ["7", "7.00", "$7.00", "1,000.5", "1000.50", "-3", "($3)"]),
        KeyType("boolean", ["t", "true", "TRUE", " yes", "on", "1", "f", "off"]),
        KeyType("text", texts), KeyType("character varying", texts), KeyType("name", Array(texts.dropFirst())),
        KeyType("character", ["a", "a  ", "A", "é", ",", "\"", "\\", "{", "b"]),
        KeyType("\"char\"", ["a", "", "A", ",", "\"", "{", "\\101", "7"]),
        KeyType(
            "bytea", [#"\x6869"#, #"\x68 69"#, "hi", #"h\151"#, "", #"\\"#, #"\x"#, #"\x00ff"#, #"\000\377"#, "\"},{"]),
        KeyType(
            "uuid",
            [
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "{a0eebc999c0b4ef8bb6d6bb9bd380a11}", "a0eebc999c0b4ef8bb6d6bb9bd380a11",
                "00000000-0000-0000-0000-000000000000",
            ]),
        KeyType(
            "date", ["2024-02-29", "20240229", "Feb 29, 2024", "epoch", "1970-01-01", "infinity", "0044-03-15 BC"]),
        KeyType("time without time zone", ["04:05", "04:05:00", "4:05 AM", "040500", "04:05:00.000000", "23:59:60"]),
        KeyType("time with time zone", ["04:05+02", "04:05:00 +02:00", "040500+02", "02:05Z", "02:05+00"]),
        KeyType(
            "timestamp without time zone",
            ["2024-02-29 04:05", "2024-02-29T04:05:00", "20240229 040500.0", "epoch", "1970-01-01", "-infinity"]),
        KeyType(
            "timestamp with time zone",
            [
                "2024-02-29 04:05Z", "2024-02-29T05:05:00+01", "20240229 040500 UTC", "2024-06-01 12:00", "epoch",
                "infinity",
            ]),
        KeyType(
            "interval",
            [
                "1 month", "30 days", "720:00", "P1M", "1 mon ago", "-1 mon", "1-2", "14 months", "0", "1 day -3:00",
                "21:00",
            ]),
        KeyType("inet", ["10.0.0.1", "10.0.0.1/32", "::1", "0:0:0:0:0:0:0:1", "10.0.0.1/8", "::FFFF"]),
        KeyType("cidr", ["10.0.0.0/8", "10/8", "10.0.0/24", "10.0.0.0/24", "::/0", "2001:db8::/32", "2001:0DB8::/32"]),
        KeyType(
            "macaddr", ["08:00:2b:01:02:03", "08-00-2B-01-02-03", "08002b:010203", "08002b010203", "ff:ff:ff:ff:ff:ff"]),
        KeyType("macaddr8", ["08:00:2b:01:02:03:04:05", "08002B01:02030405", "08:00:2b:01:02:03"]),
        KeyType("bit", ["1", "b1", "B1", "0"]),
        KeyType("bit varying", ["101", "b101", "xA", "1010", "", "0"]),
        KeyType("oid", ["7", "007", " 7", "4294967295", "-1", "0"]),
        KeyType("oidvector", ["1 2", "01  2 ", "", "3"]),
        KeyType("xid", ["7", "007", "0x7", "8"]), KeyType("xid8", ["7", "007", "0x7", "18446744073709551615"]),
        KeyType("cid", ["7", "007", "8"]), KeyType("tid", ["(0,1)", "( 0, 01)", "(4,2)"]),
        KeyType("pg_lsn", ["16/B374D848", "16/b374d848", "0016/B374D848", "0/0"]),
        KeyType("aclitem", ["=r/postgres", "postgres=rw/postgres", "postgres=wr/postgres", "=/postgres"]),
        KeyType(
            "jsonb",
            [#"{"a":1,"b":[2]}"#, #"{ "b": [2], "a": 1 }"#, #"{"a":1.0,"b":[2]}"#, "\"}],{\"", "7", "null", "[]"]),
        KeyType("tsvector", ["fat cat", "cat fat", "'cat' 'fat'", "a:1 a:2", ""]),
        KeyType("tsquery", ["fat & cat", "fat&cat", "'fat' & 'cat'", "!(a|b)", "fat"]),
    ]

    private static let made: [KeyType] = [
        KeyType("numeric(8,2)", ["7", "7.0", "07.00", "7.001", "0.5", ".50", "-0", "0", "NaN"]),
        KeyType("character(6)", ["ab", "ab    ", "ab ", "AB", "", "      ", "é\",", "abcdef"]),
        KeyType("character varying(20)", ["ab", "ab ", "", "é", #"","a":1"#, "}"]),
        KeyType("bit(4)", ["1010", "b1010", "xA", "0000", "1"]),
        KeyType("time(0) without time zone", ["04:05", "04:05:00.0", "04:05:00.4"]),
        KeyType("timestamp(0) with time zone", ["2024-02-29 04:05Z", "2024-02-29T05:05:00.2+01", "epoch"]),
        KeyType("interval day to second", ["1 day", "24:00", "P1D", "1 day 00:00:00", "1 day ago", "2 days"]),
        KeyType("regclass", ["pg_class", "pg_catalog.pg_class", "1259", "\"pg_class\"", "pg_type"]).casting,
        KeyType("regtype", ["integer", "int4", "23", "pg_catalog.int4", "text"]).casting,
        KeyType("positive", setup: "create domain positive as int check (value > 0)", ["7", "007", "+7", "9"]),
        KeyType("email", setup: "create domain email as varchar(40) not null", ["a@b", "A@B", " a@b", ""]),
        KeyType("mood", setup: "create type mood as enum ('sad', 'ok', 'a,\"b', '')", ["sad", "ok", "a,\"b", ""]),
        KeyType("citext", ["Ada", "ADA", "ada", "Ä", "ä", "", "b"]),
        KeyType(
            "text collate anycase",
            setup: """
                create collation if not exists anycase
                (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
                """, ["Ada", "ADA", "ada", "Ä", "ä", "", "b"]),
        KeyType("integer[]", ["{1,2}", "{ 1, 02 }", "[0:1]={1,2}", "{}", "{NULL}", "{{1},{2}}"]).asText,
        KeyType("text[]", [#"{a,"b,c"}"#, #"{"a","b,c"}"#, "{}", #"{"\""}"#, #"{"}"}"#]).asText,
        KeyType("int4range", ["[1,3)", "[1,2]", "(0,2]", " [1, 3)", "empty", "(5,5)", "(,)"]),
        KeyType("tstzrange", ["[2024-01-01Z,2024-01-02Z)", "[2024-01-01 01:00+01,2024-01-02Z)", "empty"]),
        KeyType("int4multirange", ["{[1,3)}", "{[1,2],[2,2]}", "{ [1,2] }", "{}", "{[7,9)}"]),
        KeyType("duo", setup: "create type duo as (a int, b text)", [#"(1,"x,y")"#, #"(01,"x,y")"#, "(,)", "(1,)"])
            .asText,
        KeyType("hstore", ["a=>1", #""a"=>"1""#, "a=>1,b=>NULL", ""]),
        KeyType(
            "isbn", setup: "create extension if not exists isn",
            ["0-19-853453-1", "9780198534532", "0198534531", "0-393-04002-X", "978-1-4302-1998-9"]),
        KeyType("ltree", ["a.b", "a", "a.b.c", ""]),
    ]

    private static let texts = [
        "", "a", "A", " a", "a ", #"a"b"#, #"a\b"#, #"\"#, "{a,b}", "NULL", "null", "é", "e\u{301}", "😀", "\n", "\u{1}",
        "'", "$1",
        #"","a":1"#, #"}{"#, "[", "7", "007",
    ]

    private var casting: KeyType {
        var type = self
        type.isCast = true
        return type
    }

    private var asText: KeyType {
        var type = casting
        type.isText = true
        return type
    }

    /// The type of a parameter, which has no length and no collation.
    var base: String {
        switch name {
        case "character", "character(6)": "bpchar"
        case "bit", "bit(4)": "\"bit\""
        case "numeric(8,2)": "numeric"
        case "character varying(20)": "varchar"
        case "time(0) without time zone": "time"
        case "timestamp(0) with time zone": "timestamptz"
        case "interval day to second": "interval"
        case "text collate anycase": "text"
        default: name
        }
    }

    /// How a parameter of it is written.
    var parameter: String { isCast ? "$1::\(base)" : "$1" }
}
