import Groundwork

/// The keys of one writer, with and without a row.
struct WriterKeys: Sendable {
    private(set) var present: [Int] = []
    private(set) var absent: [Int] = []

    mutating func add(_ key: Int, isPresent: Bool) {
        if isPresent { present.append(key) } else { absent.append(key) }
    }

    /// Some keys with a row, none of them twice. Low ones come more often than high ones.
    func somePresent(_ count: Int, by random: inout SplitMix64) -> [Int] {
        var chosen: [Int] = []
        for _ in 0..<count where !present.isEmpty {
            let key = present[Popularity.index(below: present.count, by: &random)]
            if !chosen.contains(key) { chosen.append(key) }
        }
        return chosen
    }

    func someAbsent(by random: inout SplitMix64) -> Int? { absent.randomElement(using: &random) }

    mutating func apply(_ transaction: WriterTransaction) {
        for change in transaction.changes {
            if change.isAbsent, let index = present.firstIndex(of: change.key) {
                absent.append(present.remove(at: index))
            } else if !change.isAbsent, let index = absent.firstIndex(of: change.key) {
                present.append(absent.remove(at: index))
            }
        }
    }
}

/// Which of many are asked for and written how often.
enum Popularity {
    /// An index below `count`: a few low ones very often, each of the others seldom.
    static func index(below count: Int, by random: inout SplitMix64) -> Int {
        let chance = random.chance()
        return min(count - 1, Int(Double(count) * chance * chance * chance))
    }
}

/// What a writer does to some of its rows at once.
struct WriterTransaction: Sendable {
    struct Change: Sendable {
        let key: Int
        let isAbsent: Bool
    }

    let version: Int64
    private(set) var changes: [Change] = []
    /// Whether it is to commit; else it is rolled back.
    let commits: Bool
    /// All of it.
    private(set) var sql = ""

    /// Draws one of each kind: single rows, several rows by one statement or by several, inserts, deletes, moves of a row to
    /// another key, rollbacks, and now and then a transaction that takes its time.
    init(version: Int64, of keys: inout WriterKeys, by random: inout SplitMix64) {
        self.version = version
        let lot = random.next() % 100
        commits = random.next() % 20 != 0
        switch lot {
        case 0..<60: update(keys.somePresent(1, by: &random))
        case 60..<74: updateTogether(keys.somePresent(Int(2 + random.next() % 15), by: &random))
        case 74..<82:
            update(keys.somePresent(3, by: &random))
            if let key = keys.someAbsent(by: &random) { insert(key) }
        case 82..<88: if let key = keys.someAbsent(by: &random) { insert(key) }
        case 88..<94: for key in keys.somePresent(1, by: &random) { delete(key) }
        default:
            if let key = keys.someAbsent(by: &random), let from = keys.somePresent(1, by: &random).first {
                move(from, to: key)
            }
        }
        if changes.isEmpty { update(keys.somePresent(1, by: &random)) }
        let wait = random.next() % 50 == 0 ? "select pg_sleep(0.002); " : ""
        // A single statement is a transaction by itself, as most are.
        guard !commits || !wait.isEmpty || random.next() % 2 == 0 else { return }
        sql = "begin; \(sql)\(wait)\(commits ? "commit" : "rollback")"
    }

    private mutating func update(_ keys: [Int]) {
        for key in keys {
            changes.append(Change(key: key, isAbsent: false))
            sql += "update verified set version = \(version), twin = \(version) where id = \(key); "
        }
    }

    private mutating func updateTogether(_ keys: [Int]) {
        guard !keys.isEmpty else { return }
        changes += keys.map { Change(key: $0, isAbsent: false) }
        let list = keys.map(String.init).joined(separator: ", ")
        sql += "update verified set version = \(version), twin = \(version) where id in (\(list)); "
    }

    private mutating func insert(_ key: Int) {
        changes.append(Change(key: key, isAbsent: false))
        sql += "insert into verified values (\(key), \(Subject.shelf(of: key)), \(version), \(version)); "
    }

    private mutating func delete(_ key: Int) {
        changes.append(Change(key: key, isAbsent: true))
        sql += "delete from verified where id = \(key); "
    }

    private mutating func move(_ key: Int, to other: Int) {
        changes += [Change(key: key, isAbsent: true), Change(key: other, isAbsent: false)]
        sql += """
            update verified set id = \(other), shelf = \(Subject.shelf(of: other)), version = \(version), \
            twin = \(version) where id = \(key);
            """
    }

    /// Asks whether it committed, when nobody can be in the middle of it any more.
    var question: String {
        let key = changes[0].key
        let condition = changes[0].isAbsent ? "id = \(key)" : "id = \(key) and version = \(version)"
        let word = changes[0].isAbsent ? "not exists" : "exists"
        return """
            lock table verified in share row exclusive mode; \
            select \(word) (select 1 from verified where \(condition))
            """
    }
}
