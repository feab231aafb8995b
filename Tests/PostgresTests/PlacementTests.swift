import DequeModule
import Groundwork
import Testing

@testable import Postgres

/// The choice of a connection, tried on generated schedules: loads that come, answers, connections that come and go.
struct PlacementTests {
    @Test(arguments: 0..<200)
    func `nobody waits behind a query of unknown length, and no group holds every connection`(seed: Int) {
        var model = Model(seed: UInt64(seed))
        for _ in 0..<300 { model.step() }
        model.drain()
    }

    private let placement = Placement(depthLimit: 32)
    private let short = Placement.Query(getter: 0, isShort: true)
    private let unknown = Placement.Query(getter: 1, isShort: false)
    private let now = Instant(nanoseconds: 1_000_000_000)

    private func lane(_ queries: [(getter: Int, isUnknown: Bool)], since: Instant? = nil) -> Lane {
        var lane = Lane(getterCount: 4, roundTrip: 0)
        for query in queries { lane.send(query.getter, isUnknown: query.isUnknown, at: since ?? now) }
        return lane
    }

    @Test func `a short query goes to the connection with the least in flight`() {
        let lanes = [lane([(2, false), (2, false)]), lane([(2, false)]), lane([(3, true)])]
        #expect(placement.choose(short, among: lanes, at: now) == .connection(1))
    }

    @Test func `a short query that is late holds its connection`() {
        let late = lane([(2, false)], since: Instant(nanoseconds: now.nanoseconds - Pace.long - 1))
        #expect(placement.choose(short, among: [late, lane([(2, false)])], at: now) == .connection(1))
        #expect(placement.choose(short, among: [late, late], at: now) == .waits(keepingFree: nil))
    }

    @Test func `a query of unknown length waits for an idle connection, and one is kept for it`() {
        let busy = lane([(2, false)])
        #expect(placement.choose(unknown, among: [busy, busy], at: now) == .waits(keepingFree: 0))
        #expect(placement.choose(unknown, among: [busy, lane([])], at: now) == .connection(1))
        var kept = lane([])
        kept.isKeptFree = true
        #expect(placement.choose(short, among: [busy, kept], at: now) == .connection(0))
        #expect(placement.choose(unknown, among: [busy, kept], at: now) == .connection(1))
    }

    @Test func `one group leaves the last connection to the others`() {
        let held = lane([(1, true)])
        #expect(placement.choose(unknown, among: [held, held, lane([])], at: now) == .waits(keepingFree: nil))
        #expect(placement.choose(short, among: [held, held, lane([])], at: now) == .connection(2))
        // Held by others: a group's first query may have the last one, its second one may not.
        let others = lane([(2, true)])
        #expect(placement.choose(unknown, among: [others, others, lane([])], at: now) == .connection(2))
        #expect(placement.choose(unknown, among: [held, others, lane([])], at: now) == .waits(keepingFree: nil))
    }

    @Test func `pools of one connection leave the last of them to the other groups`() {
        let placement = Placement(depthLimit: 32, connectionsInAll: 3)
        func choose(_ isShort: Bool, held: Int) -> Placement.Choice {
            let query = Placement.Query(getter: 1, isShort: isShort, held: held)
            return placement.choose(query, among: [lane([])], at: now)
        }
        #expect(choose(false, held: 0) == .connection(0))
        #expect(choose(false, held: 1) == .connection(0))
        #expect(choose(false, held: 2) == .waits(keepingFree: nil))
        #expect(choose(true, held: 2) == .connection(0))
    }

    @Test func `a statement earns trust by short answers and loses it with one long one`() {
        let pace = Pace()
        #expect(!pace.isShort)
        for _ in 0..<30 { pace.note(100_000) }
        #expect(pace.isShort)
        pace.note(Pace.long + 1)
        #expect(!pace.isShort && !pace.isBrisk)
        for _ in 0..<30 { pace.note(3_000_000) }
        #expect(!pace.isShort && pace.isBrisk)
    }

    @Test func `what a query waited for those before it, and on the way, is not its own time`() {
        var lane = Lane(getterCount: 1, roundTrip: 1_000)
        let start = Instant(nanoseconds: 1_000_000)
        for _ in 0..<2 { lane.send(0, isUnknown: false, at: start) }
        let first = start.advanced(byNanoseconds: 11_000)
        let took = lane.finish(0, isUnknown: false, sentAt: start, nextSentAt: start, at: first)
        #expect(took == 10_000)
        #expect(lane.headSince == first)
        let second = first.advanced(byNanoseconds: 500)
        #expect(lane.finish(0, isUnknown: false, sentAt: start, nextSentAt: nil, at: second) == 500)
        #expect(lane.depth == 0)
    }
}

/// A pool as the placement sees it.
private struct Model {
    private struct Sent {
        let getter: Int
        let isUnknown: Bool
        let at: Instant
    }

    private static let getterCount = 5
    private static let depthLimit = 8

    private var random: SplitMix64
    private var now = Instant(nanoseconds: 1_000_000_000)
    private var lanes: [Lane] = []
    private var sent: [Deque<Sent>] = []
    private var waiting = [Int](repeating: 0, count: getterCount)
    private var isKeeping = false
    /// What is known of each getter; changes as it pleases.
    private var isShort: [Bool]

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
        isShort = (0..<Self.getterCount).map { $0 % 2 == 0 }
        for _ in 0..<Int.random(in: 1...5, using: &random) { connect() }
    }

    private mutating func connect() {
        lanes.append(Lane(getterCount: Self.getterCount, roundTrip: 0))
        sent.append([])
    }

    mutating func step() {
        now = now.advanced(byNanoseconds: Int64.random(in: 0...4_000_000, using: &random))
        switch Int.random(in: 0..<20, using: &random) {
        case 0 where lanes.count < 5: connect()
        case 1 where lanes.count > 1:
            let index = Int.random(in: lanes.indices, using: &random)
            for query in sent[index] { waiting[query.getter] += 1 }
            lanes.remove(at: index)
            sent.remove(at: index)
        case 2: isShort[Int.random(in: isShort.indices, using: &random)].toggle()
        case 3..<12: waiting[Int.random(in: waiting.indices, using: &random)] += Int.random(in: 1...4, using: &random)
        default: answer(Int.random(in: lanes.indices, using: &random))
        }
        dispatch()
    }

    /// Lets everything be answered, and sees that everything was sent.
    mutating func drain() {
        for _ in 0..<10_000 {
            guard waiting.contains(where: { $0 > 0 }) || sent.contains(where: { !$0.isEmpty }) else { return }
            now = now.advanced(byNanoseconds: 100_000)
            answer(Int.random(in: lanes.indices, using: &random))
            dispatch()
        }
        Issue.record("some were never sent: \(waiting)")
    }

    private mutating func answer(_ index: Int) {
        guard let done = sent[index].popFirst() else { return }
        _ = lanes[index].finish(
            done.getter, isUnknown: done.isUnknown, sentAt: done.at, nextSentAt: sent[index].first?.at, at: now)
    }

    private mutating func dispatch() {
        isKeeping = false
        for getter in waiting.indices {
            while waiting[getter] > 0, start(getter) { waiting[getter] -= 1 }
        }
        if !isKeeping { for index in lanes.indices { lanes[index].isKeptFree = false } }
    }

    private mutating func start(_ getter: Int) -> Bool {
        let query = Placement.Query(getter: getter, isShort: isShort[getter])
        let used = lanes.count { $0.count(of: getter) > 0 }
        switch Placement(depthLimit: Self.depthLimit).choose(query, among: lanes, at: now) {
        case .connection(let index):
            let isBehindUnknown = sent[index].contains { $0.isUnknown }
            #expect(!isBehindUnknown)
            #expect(query.isShort || sent[index].isEmpty)
            #expect(sent[index].count < Self.depthLimit)
            lanes[index].send(getter, isUnknown: !query.isShort, at: now)
            sent[index].append(Sent(getter: getter, isUnknown: !query.isShort, at: now))
            let usedNow = lanes.count { $0.count(of: getter) > 0 }
            #expect(usedNow == used || usedNow <= max(1, lanes.count - 1))
            lanes[index].isKeptFree = false
            return true
        case .waits(let toKeepFree):
            // An idle connection is left so only for those who could not be served otherwise.
            if let idle = lanes.firstIndex(where: { $0.depth == 0 && !$0.isKeptFree }), lanes.count > 1 {
                let isLast = lanes.indices.allSatisfy { $0 == idle || !lanes[$0].flows(at: now) }
                #expect(used >= lanes.count - 1 || !query.isShort && used > 0 && isLast)
            }
            if let toKeepFree {
                isKeeping = true
                if !lanes.contains(where: \.isKeptFree) { lanes[toKeepFree].isKeptFree = true }
            }
            return false
        }
    }
}
