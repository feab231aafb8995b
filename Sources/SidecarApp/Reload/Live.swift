import Groundwork
import Invalidation
import Postgres
import Server
import Synchronization

/// What is in force, and what a reload replaces. Any thread may ask, and asks each time that it wants to know.
final class Live: Sendable {
    /// A group with what it was made of.
    struct ServingGroup: Sendable {
        let settings: Settings.Group
        let getter: QueryGetter
        let served: ServedGroup
    }

    /// All of it, as one.
    struct State: Sendable {
        var settings: Settings
        var groups: [ServingGroup]
        var database: Database
        /// What a change makes stale.
        var map: InvalidationMap
        /// The database before, while it answers what it was asked.
        var retiring: Database?
    }

    private let current: Groundwork.Mutex<State>
    private let hasWarmed: Atomic<Bool>

    init(_ state: State) {
        current = Groundwork.Mutex(state)
        hasWarmed = Atomic(state.settings.warmStart.file == nil)
    }

    /// Whether the recent keys of the run before are loaded again, or nobody wants that.
    var isWarm: Bool { hasWarmed.load(ordering: .acquiring) }

    /// From now on it is.
    func warmStartEnded() { hasWarmed.store(true, ordering: .releasing) }

    var state: State {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }

    var settings: Settings { state.settings }
    var database: Database { state.database }
    var groups: [ServingGroup] { state.groups }

    /// Ends the database before, unless another one is that by now.
    func retired(_ database: Database) {
        current.withLock { state in
            if state.retiring === database { state.retiring = nil }
        }
    }
}
