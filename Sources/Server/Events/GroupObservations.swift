import CacheCore

/// One observer of each group that is served. Confined to its loop.
///
/// A group that is served no longer is observed until its end was told and its last load has landed: somebody was noted for
/// what that brings.
struct GroupObservations {
    private struct Observed {
        let group: Group
        let observation: Observation
        var isServed = true
    }

    private var observations: [Observed] = []

    var isEmpty: Bool { observations.isEmpty }

    /// Observes by `observe` those of `groups` that are not observed yet. Returns those that no longer are.
    @discardableResult
    mutating func follow(_ groups: [ServedGroup], _ observe: (Group) -> Observation) -> [Group] {
        let served = groups.map { ObjectIdentifier($0.group) }
        let gone = observations.filter { !$0.isServed && $0.group.isQuiet }
        observations.removeAll { old in gone.contains { $0.group === old.group } }
        for old in gone { old.group.removeObserver(old.observation) }
        for index in observations.indices {
            observations[index].isServed = served.contains(ObjectIdentifier(observations[index].group))
        }
        for group in groups.map(\.group) where !observations.contains(where: { $0.group === group }) {
            observations.append(Observed(group: group, observation: observe(group)))
        }
        return gone.map(\.group)
    }

    /// Observes no longer.
    mutating func end() {
        for old in observations { old.group.removeObserver(old.observation) }
        observations = []
    }
}
