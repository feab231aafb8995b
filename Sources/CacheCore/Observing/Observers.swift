import Groundwork
import Synchronization

/// Those who observe a group.
final class Observers: Sendable {
    private struct Observer: Sendable {
        let body: @Sendable (GroupEvent, Key) -> Void
        /// Told of a flush in place of its keys; nil: each key is told.
        let flushed: (@Sendable () -> Void)?
    }

    private struct List: Sendable {
        var observers: [UInt64: Observer] = [:]
        var lastID: UInt64 = 0
    }

    private let list = Groundwork.Mutex(List())
    /// Read at each event, so that an event costs next to nothing while nobody observes.
    private let isAny = Atomic<Bool>(false)

    /// Whether there are any.
    @inline(__always)
    var exist: Bool { isAny.load(ordering: .relaxed) }

    func add(
        flushed: (@Sendable () -> Void)?, _ body: @escaping @Sendable (GroupEvent, Key) -> Void
    ) -> Observation {
        list.withLock { list in
            list.lastID += 1
            list.observers[list.lastID] = Observer(body: body, flushed: flushed)
            isAny.store(true, ordering: .relaxed)
            return Observation(id: list.lastID)
        }
    }

    func remove(_ observation: Observation) {
        list.withLock { list in
            list.observers[observation.id] = nil
            isAny.store(!list.observers.isEmpty, ordering: .relaxed)
        }
    }

    /// In no order.
    private var all: [Observer] { list.withLock { Array($0.observers.values) } }

    // MARK: Telling, outside of every lock

    func tell(_ events: [(event: GroupEvent, key: Key)]) {
        for observer in all {
            for (event, key) in events { observer.body(event, key) }
        }
    }

    /// Tells those who hear it key by key that a store was emptied.
    func tellFlushed(_ store: borrowing EntryStore) {
        let observers = all.filter { $0.flushed == nil }
        guard !observers.isEmpty else { return }
        for key in store.keys {
            for observer in observers { observer.body(.invalidated, key) }
        }
    }

    /// Tells the others that every store was.
    func tellFlushed() {
        for observer in all { observer.flushed?() }
    }
}

extension Group {
    /// Calls `body` for each event of the group from now on: on the thread that caused it, outside every lock, soon after
    /// it happened. It must be quick. Events of one key come in their order as long as one thread causes them.
    ///
    /// Of a flush it is told `invalidated` for each entry that there was; with `flushed`, that is called once instead, when
    /// all are gone: telling of a million keys takes its time.
    ///
    /// While nobody observes, an event costs the reading of a flag.
    public func addObserver(
        flushed: (@Sendable () -> Void)? = nil, _ body: @escaping @Sendable (GroupEvent, Key) -> Void
    ) -> Observation {
        observers.add(flushed: flushed, body)
    }

    /// Ends an observation; events that are under way may still arrive.
    public func removeObserver(_ observation: Observation) {
        observers.remove(observation)
    }
}
