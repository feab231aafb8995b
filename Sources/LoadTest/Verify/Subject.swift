/// The table that is written and the groups that are read, of which there is one for each way that a row can be asked for.
enum Subject {
    /// How many keys stand on one shelf.
    static let shelfSize = 8

    static func shelf(of key: Int) -> Int { key / shelfSize }

    /// Nine keys in ten have a row at first.
    static func isPresentAtFirst(_ key: Int) -> Bool { key % 10 != 0 }

    /// A key that nobody writes or asks for before the last look, on a shelf of its own.
    static func lastKey(_ keyCount: Int) -> Int { (shelf(of: keyCount) + 1) * shelfSize }

    /// `twin` is always what `version` is.
    static func schema(keyCount: Int) -> String {
        """
        create table verified(id int primary key, shelf int not null, version bigint not null, twin bigint not null);
        create index on verified(shelf);
        alter table verified replica identity full;
        insert into verified select id, id / \(shelfSize), 0, 0 from generate_series(0, \(keyCount - 1)) id
            where id % 10 <> 0;
        insert into verified values (\(lastKey(keyCount)), \(shelf(of: lastKey(keyCount))), 0, 0);
        analyze verified;
        """
    }

    /// SQL after which no change is told of. The triggers fire whatever a session is (`ENABLE ALWAYS`), so they are switched off.
    static let silence = "alter table verified disable trigger user"
    /// SQL after which changes are told of again, by triggers that are as they were.
    static let unsilence = """
        do $$
        declare
            name text;
        begin
            for name in select tgname from pg_trigger where tgrelid = 'verified'::regclass and not tgisinternal loop
                execute format('alter table verified enable always trigger %I', name);
            end loop;
        end $$
        """

    /// The groups' settings, as YAML.
    ///
    /// - Parameters:
    ///   - isTold: Whether a stream tells of changes.
    ///   - isMislabelled: Whether shelves are taken for keys of rows.
    static func groups(isTold: Bool, isMislabelled: Bool) -> String {
        func group(_ name: String, _ settings: [String], changesBy column: String) -> String {
            let told = isTold ? ["invalidate_on: [{ table: public.verified, key: [\(column)] }]"] : []
            return "  \(name):\n" + (settings + told).map { "    \($0)\n" }.joined()
        }
        return "groups:\n"
            + group(
                "value",
                [
                    "sql: select version from verified where id = $1", "returns: value",
                    "batch: { sql: 'select id, version from verified where id = any($1)' }",
                ], changesBy: "id")
            + group("row", ["sql: select id, version, twin from verified where id = $1"], changesBy: "id")
            + group(
                "shelf",
                ["sql: select id, version from verified where shelf = $1 order by id", "returns: rows"],
                changesBy: isMislabelled ? "id" : "shelf")
    }

    /// All wire keys whose value has a key's row in it.
    static func keys(naming key: Int) -> [String] { ["value:\(key)", "row:\(key)", "shelf:\(shelf(of: key))"] }

    // MARK: What replies say

    /// A version, or that there is no row; nil for anything else.
    static func value(_ reply: WireReply) -> KeyHistory.Answer? {
        switch reply {
        case .null: .absent
        case .bulk(let bytes): number(bytes[...]).map { .version($0) }
        default: nil
        }
    }

    /// The same from a row as JSON, whose two versions have to be the same.
    static func row(_ reply: WireReply, of key: Int) -> KeyHistory.Answer? {
        switch reply {
        case .null: return .absent
        case .bulk(let bytes):
            let numbers = numbers(in: bytes)
            guard numbers.count == 3, numbers[0] == key, numbers[1] == numbers[2] else { return nil }
            return .version(numbers[1])
        default: return nil
        }
    }

    /// The same from a row as a hash.
    static func hash(_ reply: WireReply, of key: Int) -> KeyHistory.Answer? {
        guard case .array(let parts) = reply else { return nil }
        if parts.isEmpty { return .absent }
        let texts = parts.compactMap(\.text)
        guard texts.count == 6, texts[0] == "id", texts[1] == "\(key)", texts[2] == "version", texts[4] == "twin",
            texts[3] == texts[5], let version = Int64(texts[3])
        else { return nil }
        return .version(version)
    }

    /// What a shelf says of each of its keys.
    static func shelf(_ reply: WireReply, _ shelf: Int) -> [KeyHistory.Answer]? {
        guard case .bulk(let bytes) = reply else { return nil }
        var answers = [KeyHistory.Answer](repeating: .absent, count: shelfSize)
        let numbers = numbers(in: bytes)
        guard numbers.count % 2 == 0 else { return nil }
        for index in stride(from: 0, to: numbers.count, by: 2) {
            let slot = numbers[index] - Int64(shelf * shelfSize)
            guard slot >= 0, slot < shelfSize else { return nil }
            answers[Int(slot)] = .version(numbers[index + 1])
        }
        return answers
    }

    /// The numbers in a JSON text, in their order.
    private static func numbers(in bytes: [UInt8]) -> [Int64] {
        bytes.split { !isDigit($0) }.compactMap(number)
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int64? {
        guard !bytes.isEmpty, bytes.count <= 18, bytes.allSatisfy(isDigit) else { return nil }
        return bytes.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9") }
}
