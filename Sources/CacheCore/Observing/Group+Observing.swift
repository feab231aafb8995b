import Groundwork
import Synchronization

/// Those who observe a group.
struct Observers: Sendable {
    typealias Body = @Sendable (GroupEvent, Key) -> Void

    private(set) var bodies: [UInt64: Body] = [:]
    private var lastID: UInt64 = 0

    mutating func add(_ body: @escaping Body) -> Observation {
        lastID += 1
        bodies[lastID] = body
        return Observation(id: lastID)
    }

    mutating func remove(_ observation: Observation) {
        bodies[observation.id] = nil
    }
}

extension Group {
    /// Calls `body` for each event of the group from now on: on the thread that caused it, outside every lock, soon after
    /// it happened. It must be quick. Events of one key come in their order as long as one thread causes them.
    ///
    /// While nobody observes, an event costs the reading of a flag.
    public func addObserver(_ body: @escaping @Sendable (GroupEvent, Key) -> Void) -> Observation {
        observers.withLock { observers in
            defer { isObserved.store(true, ordering: .relaxed) }
            return observers.add(body)
        }
    }

    /// Ends an observation; events that are under way may still arrive.
    public func removeObserver(_ observation: Observation) {
        observers.withLock { observers in
            observers.remove(observation)
            isObserved.store(!observers.bodies.isEmpty, ordering: .relaxed)
        }
    }

    /// Notes an event of the entry at `place`, if anyone wants to know. Under the shard's lock.
    func note(_ event: GroupEvent, at place: SlotIndex, in state: inout Shard.State) {
        guard isObserved.load(ordering: .relaxed), let record = Record(state.store.slots[Int(place)].pointee) else {
            return
        }
        state.events.append((event, Key(Array(record.key))))
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
        let bodies = observers.withLock { Array($0.bodies.values) }
        for (event, key) in events {
            for body in bodies { body(event, key) }
        }
    }
}
