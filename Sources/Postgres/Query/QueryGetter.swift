public import CacheCore
import Groundwork
import Synchronization

/// Loads a key by running the group's SQL, with the key's parts as its parameters.
///
/// PostgreSQL itself makes the JSON, so numbers, booleans, null and nested json are as `row_to_json` gives them.
/// The getter starts to load when it was given to a ``Database`` that was started.
public final class QueryGetter: Getter, KeyedGetter {
    /// What a value holds of the query's result.
    public enum Returns: String, Sendable, CaseIterable {
        /// The one row as a JSON object, and its columns by name as hash fields. No row: the value is missing; more than
        /// one row: an error, since which of them is meant would be chance.
        case row
        /// The one column of the one row: its text, or the bytes of a `bytea`. No row, or null: the value is missing; more
        /// than one row: an error.
        case value
        /// Every row as a JSON array of objects, in the query's order; without rows it is empty, `[]`.
        case rows
    }

    /// The group's name, which begins each error's text.
    public let name: String
    /// What a value holds of the query's result.
    public let returns: Returns
    /// What is sent: the SQL, wrapped.
    let statement: Statement
    /// What is sent for several keys at once, as long as the getter ``takesBatches``; nil when there is no such query.
    let batch: BatchStatement?
    private let parameterCount: Int
    /// The tables whose changes make the group or its keys stale, if anything tells of them.
    public let keyedBy: [KeyedTable]
    let keys = PublishedKeys()

    private let route = Groundwork.Mutex<Route?>(nil)
    private let queryLimit: Atomic<Int>
    private let description = AtomicLazyReference<GroupDescriptionBox>()
    private let degraded = Atomic<Bool>(false)
    private let isBatchRefused: Atomic<Bool>

    /// A getter for the group `name`. Never fails: what is wrong with the SQL is found by ``Database/describe()``.
    ///
    /// With a `batch`, keys that are asked for while a query of the group is under way go out together when it returns.
    /// A group without key parts has no batch.
    ///
    /// With tables in `keyedBy` a value is kept only when its key is the text under which a change of a row tells of it, and
    /// nothing is kept before the server told of which types the parameters and the columns are.
    public init(
        name: String, sql: String, returns: Returns, batch: BatchQuery? = nil, keyedBy: [KeyedTable] = []
    ) {
        let text = QueryText(sql)
        self.name = name
        self.keyedBy = keyedBy
        self.returns = returns
        parameterCount = text.parameterCount
        statement = Statement(of: text, group: name, returns: returns)
        self.batch =
            text.parameterCount == 0
            ? nil
            : batch.map {
                BatchStatement($0, group: name, keyParts: text.parameterCount, returns: returns)
            }
        queryLimit = Atomic(self.batch == nil ? .max : batch?.queries ?? .max)
        isBatchRefused = Atomic(self.batch?.statement.mistake != nil)
    }

    /// The number of parameters that the SQL has.
    public var keyParts: Int? { parameterCount }

    /// Whether the SQL does not fit the database's tables any more, as the last load found.
    public var isDegraded: Bool { degraded.load(ordering: .relaxed) }

    /// Hands the load to a database connection: of the calling thread's loop, if it has one.
    public func load(_ flight: consuming Flight) {
        if let mistake = statement.mistake { return flight.fail(LoadError(.query, "\(name): \(mistake.message)")) }
        do {
            let parts = try KeyParts(of: flight.key, count: parameterCount)
            // Its seat is looked for under the lock: to hand the route out costs more, as all loops count references to it.
            guard let place = route.withLock({ $0?.place }) else { return flight.fail(.stopped(name)) }
            place.seat.start(Load(of: self, getterIndex: place.getterIndex, parts: parts, flight: flight))
        } catch {
            flight.fail(LoadError(.badKey, "\(name): \(Self.text(of: error))"))
        }
    }

    // MARK: For the database

    /// Where loads go from now on: a getter belongs to one database at a time.
    func attach(to routing: Routing, index: Int) {
        route.withLock { $0 = Route(routing: routing, getterIndex: index) }
    }

    /// Sends a load on to the successor of the database whose pool it came to. Gives it back when there is none.
    func forward(_ load: consuming Load, from seat: PoolSeat) -> Load? {
        guard let route = route.withLock({ $0 }), !route.routing.seats.contains(where: { $0 === seat }) else {
            return load
        }
        load.getterIndex = route.getterIndex
        load.isHandedOver = false
        guard let place = route.place else { return load }
        place.seat.start(load)
        return nil
    }

    /// How many queries may be under way, if keys go out together; otherwise any number.
    var queries: Int { queryLimit.load(ordering: .relaxed) }

    /// Changes how many queries may be under way, if keys go out together.
    public func limitQueries(to count: Int) {
        if batch != nil { queryLimit.store(max(1, count), ordering: .relaxed) }
    }

    /// Remembers what the server told, for better texts.
    func describe(as description: GroupDescription) {
        _ = self.description.storeIfNil(GroupDescriptionBox(description))
    }

    /// Whether keys may go out together, as the server's look at the batch query showed.
    var takesBatches: Bool { batch != nil && !isBatchRefused.load(ordering: .relaxed) }

    /// Remembers whether the batch query works and gives what the group's own one gives; if not, each key is asked for by
    /// itself.
    func setBatchRefused(_ isRefused: Bool) {
        isBatchRefused.store(isRefused, ordering: .relaxed)
    }

    /// Remembers whether the SQL fits the tables.
    func setDegraded(_ isDegraded: Bool) {
        if degraded.load(ordering: .relaxed) != isDegraded { degraded.store(isDegraded, ordering: .relaxed) }
    }

    // MARK: Texts

    private static func text(of mistake: KeyParts.Mistake) -> String {
        switch mistake {
        case .zeroByte: "a key cannot hold a zero byte"
        case .wrongCount(expected: 0, found: _): "this group has one value and takes no key"
        case .wrongCount(let expected, let found): "a key has \(expected) parts (separated by :), this one has \(found)"
        }
    }

    /// Names the part of the key that could not be read, and the type that it should have, as far as both are known.
    func badPartText(_ parameter: Int?, _ state: SQLState) -> String {
        let part = parameter ?? (parameterCount == 1 ? 1 : nil)
        let types = description.load()?.description.parameters ?? []
        guard let part, part >= 1, part <= parameterCount else {
            return "\(name): the key has a part that is not of its parameter's type (SQLSTATE \(state.code))"
        }
        let subject = parameterCount == 1 ? "the key" : "part \(part) of the key"
        let type = part <= types.count ? types[part - 1] : "its parameter's type"
        return "\(name): \(subject) is not valid as \(type) (SQLSTATE \(state.code))"
    }
}

/// Where a getter's loads go.
private struct Route {
    let routing: Routing
    /// The getter's index among those of its database.
    let getterIndex: Int

    /// Where the calling thread's loads go.
    var place: (seat: PoolSeat, getterIndex: Int)? { routing.seat.map { ($0, getterIndex) } }
}

private final class GroupDescriptionBox: Sendable {
    let description: GroupDescription
    init(_ description: GroupDescription) { self.description = description }
}
