public import CacheCore
import Groundwork
import Logging
import Synchronization

extension LoadingCache {
    /// Calls `body` for each value that comes or goes from now on: on the thread that caused it, outside every lock, right
    /// after it happened. It must be quick. Those who observe are told in the order of their arrival. "The source has none" is
    /// no event.
    public func observe(_ body: @escaping @Sendable (CacheEvent<Key, Value>) -> Void) -> Observation {
        observers.withLock { observers in
            isObserved.store(true, ordering: .relaxed)
            return Observation(id: observers.add(body))
        }
    }

    /// Ends an observation; events that are under way may still arrive.
    public func removeObserver(_ observation: Observation) {
        let former = observers.withLock { observers in
            let former = observers.bodies
            observers.bodies.removeAll { $0.id == observation.id }
            isObserved.store(!observers.bodies.isEmpty || logs, ordering: .relaxed)
            return former
        }
        // It goes outside the lock.
        _ = former
    }

    private var logs: Bool { settings.logger.map { $0.logLevel == .trace } ?? false }

    /// Tells of what happened. Outside every lock.
    func tell(_ changes: Changes<Key, Value>) {
        for (content, reason) in changes.removed where reason == .expired {
            if let value = content.value { content.onExpiry?(value) }
        }
        guard isObserved.load(ordering: .relaxed) else { return }
        let bodies = observers.withLock { $0.bodies }
        for (content, reason) in changes.removed {
            settings.logger?.trace("entry left", metadata: ["cache": "\(name)", "reason": "\(reason)"])
            guard let value = content.value else { continue }
            for (_, body) in bodies { body(.removed(content.key.key, value, reason)) }
        }
        for content in changes.added {
            settings.logger?.trace("entry added", metadata: ["cache": "\(name)"])
            guard let value = content.value else { continue }
            for (_, body) in bodies { body(.added(content.key.key, value)) }
        }
    }
}
