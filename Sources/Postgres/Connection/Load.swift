import CacheCore
import DequeModule
import Groundwork

/// One run of a getter, from the moment it was asked for until its flight has ended.
struct Load: ~Copyable, Sendable {
    /// The getter whose SQL is run.
    let getter: QueryGetter
    /// The getter's index among those of its database.
    var getterIndex: Int
    /// The parameters.
    let parts: KeyParts
    /// Nanoseconds that the database has for it.
    let timeout: Int64
    /// Whether what it brings may be kept: the key is the text under which an invalidation knows it.
    private let isKept: Bool
    private var flight: Flight
    /// The other loads of the batch that this one begins; nil when it is a query of its own.
    private(set) var batch: Batch?

    /// Whether it was sent a second time. It is not sent a third time, whatever the reason.
    var isRetry = false
    /// Whether it was taken back from behind a query that turned slow.
    var wasTakenBack = false
    /// Whether it is sent in a segment of its own, because it was in one that broke off.
    var isAlone = false
    /// Whether it is a query of its own because a batch left its answer open.
    var isUnbatched = false
    /// Whether it is sent as SQL, because the server had lost its prepared statement.
    var isUnprepared = false
    /// Whether another loop's pool handed it over. It is not handed on.
    var isHandedOver = false
    /// When it was asked for, or given back by a lost connection.
    var startedAt = Instant(nanoseconds: 0)
    /// When it was sent; nil: it was not.
    private var sentAt: Instant?

    init(of getter: QueryGetter, getterIndex: Int, parts: KeyParts, flight: consuming Flight) {
        self.getter = getter
        self.getterIndex = getterIndex
        self.parts = parts
        timeout = flight.group.loadNanoseconds
        isKept = getter.keeps(flight.key)
        self.flight = flight
    }

    /// What is sent.
    var statement: Statement {
        if batch != nil, let statement = getter.batch?.statement { return statement }
        return getter.statement
    }

    /// The statement's index among those of a connection: each getter has two.
    var statementIndex: Int { Self.statementIndex(of: getterIndex, isBatch: batch != nil) }

    /// The getter whose statement has the index `statement`.
    static func getter(ofStatement statement: Int) -> Int { statement / 2 }

    static func statementIndex(of getter: Int, isBatch: Bool) -> Int { 2 * getter + (isBatch ? 1 : 0) }

    /// When it gives up waiting for a connection: a little before those who wait for it, so that they hear why.
    var leavesQueueAt: Instant { startedAt.advanced(byNanoseconds: timeout - timeout / 16) }

    /// About what it takes in a message to the server: the key, and a few names and lengths.
    var byteCount: Int { (batch?.keys.byteCount ?? parts.byteCount) + 160 }

    /// Whether it is to be sent in a segment of its own: one that was refused or lost before must not harm others again.
    var isSentAlone: Bool { isAlone || isRetry }

    /// Whether it can go out with others of its group.
    var isBatchable: Bool { getter.takesBatches && batch == nil && !isUnbatched && !isSentAlone }

    /// Takes others of its group along, to be asked for by one query.
    mutating func lead(_ others: consuming UniqueDeque<Load>) {
        var keys = KeyArrays(partCount: getter.keyParts ?? 0)
        keys.append(parts)
        for index in 0..<others.count { keys.append(others[index].parts) }
        keys.close()
        batch = Batch(keys: keys, count: others.count + 1, others: Parcel(others))
        // A batch is a long query anyway: nothing else should wait for its end.
        isAlone = true
    }

    /// Notes when it was sent: the last time, if there were several.
    mutating func noteSent(at time: Instant) {
        sentAt = time
        flight.noteSent(at: time)
    }

    /// Those of its batch, which were sent when it was.
    private func takeOthers() -> UniqueDeque<Load> {
        var others = batch?.others.take() ?? UniqueDeque()
        if let sentAt { for index in 0..<others.count { others[index].noteSent(at: sentAt) } }
        return others
    }

    /// The loads of a batch, in the order of its keys, each on its own again.
    consuming func split() -> UniqueDeque<Load> {
        var others = takeOthers()
        batch = nil
        isAlone = false
        isRetry = false
        isUnprepared = false
        others.prepend(self)
        return others
    }

    /// Whether anybody still waits for it.
    func isWanted(at now: Instant) -> Bool {
        batch != nil || flight.isWanted(at: now)
    }

    /// Ends it; not to be called for a batch.
    consuming func end(_ outcome: Outcome) {
        switch outcome {
        case .success(let value) where !isKept: flight.succeed(value.transient())
        case .success, .failure: flight.end(outcome)
        }
    }

    /// Ends it, and those of its batch, with the error that `error` makes of the group's name.
    consuming func fail(_ error: (_ group: String) -> LoadError) {
        let failure = error(getter.name)
        var others = takeOthers()
        while let other = others.popFirst() { other.end(.failure(failure)) }
        flight.fail(failure)
    }
}

extension Load {
    /// What so many landings will touch in memory is fetched together.
    private static let prefetchedLandings = 16

    /// Ends the loads of a batch that have an outcome, and calls `open` with the others, all in their order.
    static func end(
        _ loads: consuming UniqueDeque<Load>, _ outcomes: consuming [Outcome?], open: (consuming Load) -> Void
    ) {
        guard let group = loads.isEmpty ? nil : loads[0].flight.group else { return }
        var count = 0
        for index in outcomes.indices where outcomes[index] != nil {
            if loads[index].flight.canEnd(withOthersOf: group) { count += 1 }
        }
        let common = CommonEnd(of: group, count: count)
        for index in outcomes.indices {
            if index % prefetchedLandings == 0 {
                prefetchLandings(0..<min(prefetchedLandings, loads.count), of: loads, group)
            }
            guard let load = loads.popFirst() else { return }
            guard let outcome = outcomes[index].take() else {
                open(load)
                continue
            }
            if load.flight.canEnd(withOthersOf: group) { load.end(outcome, with: common) } else { load.end(outcome) }
        }
    }

    private consuming func end(_ outcome: Outcome, with others: borrowing CommonEnd) {
        switch outcome {
        case .success(let value) where !isKept: flight.end(.success(value.transient()), with: others)
        case .success, .failure: flight.end(outcome, with: others)
        }
    }

    /// Asks the processor to bring what the landings of some loads will touch into its cache. Each landing by itself would wait
    /// for main memory.
    private static func prefetchLandings(_ indices: Range<Int>, of loads: borrowing UniqueDeque<Load>, _ group: Group) {
        group.prefetch(indices, .slot) { loads[$0].flight.keyHash }
    }
}

/// What makes a query of several loads.
struct Batch: Sendable {
    /// The keys of all of them.
    let keys: KeyArrays
    /// How many they are.
    let count: Int
    /// All but the first.
    let others: Parcel<UniqueDeque<Load>>
}
