import Groundwork
import Synchronization

/// Those who observe a group.
struct Observers: Sendable {
    struct Observer: Sendable {
        let body: @Sendable (GroupEvent, Key) -> Void
        /// Told of a flush in place of its keys; nil: each key is told.
        let flushed: (@Sendable () -> Void)?
    }

    private var observers: [UInt64: Observer] = [:]
    private var lastID: UInt64 = 0

    var isEmpty: Bool { observers.isEmpty }
    /// In no order.
    var all: [Observer] { Array(observers.values) }

    mutating func add(_ observer: Observer) -> Observation {
        lastID += 1
        observers[lastID] = observer
        return Observation(id: lastID)
    }

    mutating func remove(_ observation: Observation) {
        observers[observation.id] = nil
    }
}

extension Group {
    /// Calls `body` for each event of the group from now on: on the thread that caused it, outside every lock, soon after
    /// it happened. It must be quick. Events of one key come in their order as long as one thread causes them.
    ///
    /// Of a flush it is told `invalidated` for each entry that there was; with `flushed`, that is called once instead, when
    /// all are gone: to tell a million keys takes its time.
    ///
    /// While nobody observes, an event costs the reading of a flag.
    public func addObserver(
        flushed: (@Sendable () -> Void)? = nil, _ body: @escaping @Sendable (GroupEvent, Key) -> Void
    ) -> Observation {
        observers.withLock { observers in
            defer { isObserved.store(true, ordering: .relaxed) }
            return observers.add(Observers.Observer(body: body, flushed: flushed))
        }
    }

    /// Ends an observation; events that are under way may still arrive.
    public func removeObserver(_ observation: Observation) {
        observers.withLock { observers in
            observers.remove(observation)
            isObserved.store(!observers.isEmpty, ordering: .relaxed)
        }
    }

    /// Notes an event of the entry at `place`, if anyone wants to know. Under the shard's lock.
    func note(_ event: GroupEvent, at place: SlotIndex, in state: inout Shard.State) {
        guard isObserved.load(ordering: .relaxed), let record = Record(state.store.slots[Int(place)].pointee) else {
            return
        }
        state.events.append((event, Key(Array(record.key))))
    }

    /// The same for a key.
    func note(_ event: GroupEvent, _ key: Key, in state: inout Shard.State) {
        if isObserved.load(ordering: .relaxed) { state.events.append((event, key)) }
    }

    /// Tells the observers what was noted in a shard. Outside its lock.
    func tellObservers(of shard: Int) {
        guard isObserved.load(ordering: .relaxed) else { return }
        let events = shards.withLock(shard) { state in
            let events = state.events
            state.events = []
            return events
        }
        guard !events.isEmpty else { return }
        tellObservers(events)
    }

    func tellObservers(_ events: [(GroupEvent, Key)]) {
        for observer in observers.withLock({ $0.all }) {
            for (event, key) in events { observer.body(event, key) }
        }
    }

    /// Tells the observers that a store was emptied, which they hear key by key.
    func tellFlushed(_ store: borrowing EntryStore) {
        let observers = observers.withLock { $0.all.filter { $0.flushed == nil } }
        guard !observers.isEmpty else { return }
        for key in store.keys {
            for observer in observers { observer.body(.invalidated, key) }
        }
    }

    /// Tells the other observers that every store was.
    func tellFlushed() {
        for observer in observers.withLock({ $0.all }) { observer.flushed?() }
    }
}
