import CacheCore
import Groundwork
import Server
import TestSupport
import Testing

/// Keys that one request names several times.
@Suite(.timeLimit(.minutes(10)))
struct RepeatedKeysTests {
    /// How they are asked for.
    enum Way: CaseIterable {
        case mget
        /// By PGS.MGET, with a position that was reached.
        case afterReached
        /// The same with one that is reached while the request waits.
        case afterWaiting
    }

    /// How a key stands when it is asked for, and what becomes of it: the first letter of its name.
    enum Kind: Character, CaseIterable {
        case inMemory = "h"
        case missingInMemory = "n"
        case answeredAtOnce = "s"
        case missingAtOnce = "m"
        /// Another client waits for it.
        case flying = "f"
        case held = "w"
        case failing = "e"

        var isInMemory: Bool { self == .inMemory || self == .missingInMemory }
        var isHeld: Bool { self == .flying || self == .held || self == .failing }
        var isMissing: Bool { self == .missingInMemory || self == .missingAtOnce }
    }

    struct Name: Hashable {
        let group: Int
        let kind: Kind
        let number: Int

        var key: String { "\(kind.rawValue)\(number)" }
        var wire: String { "\(["word", "other"][group]):\(key)" }
        var value: Reply { kind.isMissing ? .null : .bulk(key) }
    }

    /// A request that was made by lot, and what it finds.
    struct Question {
        let asked: [Name]
        let distinct: Set<Name>
        /// What another client waits for before.
        let flying: Set<Name>
        /// What is loaded when the test says so, in this order.
        let held: [Name]

        init(seed: UInt64) {
            var random = SplitMix64(seed: seed)
            let kinds = Kind.allCases.filter { $0 != .failing || seed % 3 == 0 }
            // The same names in both groups.
            let pool = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                Name(
                    group: Int.random(in: 0...1, using: &random), kind: kinds.randomElement(using: &random) ?? .held,
                    number: Int.random(in: 0...5, using: &random))
            }
            let count = Int.random(in: 1...100, using: &random)
            asked = (0..<count).compactMap { _ in pool.randomElement(using: &random) }
            distinct = Set(asked)
            flying = Set(pool.filter { $0.kind == .flying })
            held = pool.filter { [flying, distinct] in $0.kind.isHeld && flying.union(distinct).contains($0) }
                .reduce(into: []) { held, name in if !held.contains(name) { held.append(name) } }
        }

        /// How many wait for what is held.
        var waiting: Int { distinct.count { $0.kind.isHeld } + flying.count }

        func arguments(_ way: Way) -> [String] {
            let names = asked.map(\.wire)
            return way == .mget ? ["MGET"] + names : ["PGS.MGET"] + names + ["AFTER", "7"]
        }

        var reply: Reply {
            guard let failing = held.first(where: { $0.kind == .failing }) else { return .array(asked.map(\.value)) }
            return .error("QUERY key '\(failing.wire)': no")
        }

        /// What is added to the figures of a group.
        func added(to before: GroupStatistics, ofGroup group: Int, _ way: Way) -> [Int] {
            let distinct = distinct.filter { $0.group == group }
            // What waits for the position is asked for once when that is reached, though it be in memory.
            let asked = way == .afterWaiting ? Array(distinct) : asked.filter { $0.group == group }
            return [
                before.misses + distinct.count { !$0.kind.isInMemory },
                before.hits + asked.count { $0.kind == .inMemory },
                before.negativeHits + asked.count { $0.kind == .missingInMemory },
            ]
        }

        /// The keys that are loaded in a group, each once.
        func loaded(inGroup group: Int) -> [String] {
            distinct.union(flying).filter { $0.group == group }.map(\.key).sorted()
        }
    }

    private static func figures(_ statistics: GroupStatistics) -> [Int] {
        [statistics.misses, statistics.hits, statistics.negativeHits]
    }

    private static func rule(_ key: String) -> HeldGetter.Answer {
        guard let kind = key.first.flatMap(Kind.init) else { return .error(LoadError(.badKey, key)) }
        return kind.isHeld ? .held : kind.isMissing ? .value(.missing) : .text(key)
    }

    private static func group(_ name: String, in cache: Cache, _ getter: HeldGetter) throws -> ServedGroup {
        var settings = GroupSettings()
        settings.loadTimeout = .seconds(60)
        // What is in memory is there for as long as a busy machine takes.
        settings.timeToLive = .seconds(600)
        settings.negativeTimeToLive = .seconds(600)
        let group = try Group(name, settings: settings, in: cache, getter: getter)
        return ServedGroup(group, shape: .value, hearsOfChanges: true)
    }

    /// Has the keys in memory that are to be there, and the loads under way.
    private static func prepare(_ question: Question, _ getters: [HeldGetter], _ client: TestClient) throws {
        for name in question.distinct where name.kind.isInMemory {
            #expect(try client.ask("GET", name.wire) == name.value)
        }
        for name in question.flying { try client.send("GET", name.wire) }
        for (group, getter) in getters.enumerated() {
            let loaded = question.distinct.filter(\.kind.isInMemory).union(question.flying)
            #expect(getter.waitForLoads(loaded.count { $0.group == group }))
        }
    }

    private static func finish(_ question: Question, _ getters: [HeldGetter]) {
        for name in question.held {
            let isFailing = name.kind == .failing
            let outcome: Outcome =
                isFailing ? .failure(LoadError(.query, "no")) : .success(Value(text: Array(name.key.utf8)))
            #expect(getters[name.group].finish(name.key, outcome))
        }
    }

    @Test(arguments: Way.allCases, 1...12 as ClosedRange<UInt64>)
    func `are asked for once each, whatever becomes of them`(_ way: Way, _ seed: UInt64) async throws {
        let question = Question(seed: seed)
        let getters = [HeldGetter(Self.rule), HeldGetter(Self.rule)]
        // No more places to wait in than the distinct keys need, and one for the moment in which one is answered at once.
        let cache = Cache(waiters: question.waiting + 1)
        let groups = [
            try Self.group("word", in: cache, getters[0]), try Self.group("other", in: cache, getters[1]),
        ]
        let changes = HeldChanges()
        try await withServer(groups, changes: changes.changes) { server in
            let (other, client) = (try TestClient(server.path), try TestClient(server.path))
            try Self.prepare(question, getters, other)
            #expect(await eventually { cache.waiterCount == question.flying.count })
            let expected = groups.indices.map { question.added(to: groups[$0].group.statistics, ofGroup: $0, way) }

            if way == .afterReached { changes.apply(7) }
            try client.send(question.arguments(way))
            if way == .afterWaiting {
                #expect(await eventually { changes.waitingCount == 1 })
                #expect(server.server.statistics.pending == question.distinct.count + question.flying.count)
                changes.apply(7)
            }
            #expect(await eventually { groups.map { Self.figures($0.group.statistics) } == expected })
            #expect(await eventually { server.server.statistics.pending == question.waiting })
            #expect(cache.waiterCount == question.waiting)
            #expect(groups.map { Self.figures($0.group.statistics) } == expected)

            Self.finish(question, getters)
            #expect(try client.receive() == question.reply)
            for name in question.flying { #expect(try other.receive() == name.value) }
            #expect(await eventually { server.server.statistics.pending == 0 && cache.waiterCount == 0 })
            #expect(getters.map { $0.loaded.sorted() } == [0, 1].map { question.loaded(inGroup: $0) })
        }
    }

    @Test(arguments: [Way.mget, .afterReached])
    func `take one place to wait in each, and without one the whole is an error`(_ way: Way) async throws {
        let getter = HeldGetter()
        let cache = Cache(waiters: 20)
        let changes = HeldChanges()
        changes.apply(7)
        let group = try Self.group("word", in: cache, getter)
        try await withServer([group], changes: changes.changes) { server in
            let client = try TestClient(server.path)
            func send(_ count: Int) throws {
                let names = (0..<3).flatMap { _ in (0..<count).map { "word:\($0)" } }
                try client.send(way == .mget ? ["MGET"] + names : ["PGS.MGET"] + names + ["AFTER", "7"])
            }
            try send(20)
            #expect(getter.waitForLoads(20))
            #expect(await eventually { server.server.statistics.pending == 20 })
            for number in 0..<20 { #expect(getter.finish("\(number)", "value")) }
            #expect(try client.receive() == .array(Array(repeating: .bulk("value"), count: 60)))
            group.group.invalidateAll()
            try send(21)
            #expect(try client.receive().text?.hasPrefix("BUSY ") == true)
            #expect(await eventually { server.server.statistics.pending == 0 && cache.waiterCount == 0 })
            #expect(getter.loaded.count == 40)
        }
    }

    @Test func `are found among as many as a request may name`() async throws {
        let getter = HeldGetter()
        let group = try served("word", getter) { $0.maxLoads = 1 << 20 }
        try await withServer([group]) { server in
            let client = try TestClient(server.path)
            // Each is named near its first time, and at the end.
            let names = (0..<16_000).flatMap { ["word:\($0)", "word:\($0 / 2)"] } + (0..<16_000).map { "word:\($0)" }
            try client.send(["MGET"] + names)
            #expect(getter.waitForLoads(16_000))
            while let flight = getter.next() { flight.succeed(flight.key) }
            #expect(try client.receive() == .array(names.map { .bulk(String($0.dropFirst(5))) }))
            #expect(group.group.statistics.misses == 16_000)
            #expect(group.group.statistics.gets == 16_000)
        }
    }
}
