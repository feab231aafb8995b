/// In what settings that were read anew differ from those in force.
struct SettingsChange: Sendable {
    /// The paths of what changes while serving.
    private(set) var live: [String] = []
    /// The paths of what takes a restart.
    private(set) var fixed: [String] = []
    /// The groups that there were not.
    private(set) var newGroups: [String] = []
    /// The groups that there are no longer.
    private(set) var goneGroups: [String] = []
    private var isFixed = false

    /// Compares what was read with what is in force, and puts back in it what takes a restart.
    init(_ new: inout Settings, inForce old: Settings) {
        for key in Settings.keys { key.compare(old, &new, at: "", &self) }
    }

    /// Whether there is nothing to do.
    var isEmpty: Bool { live.isEmpty && newGroups.isEmpty && goneGroups.isEmpty }

    // MARK: For the keys

    mutating func comparing(fixed: Bool, _ body: (inout Self) -> Void) {
        let before = isFixed
        isFixed = isFixed || fixed
        body(&self)
        isFixed = before
    }

    mutating func note<Value: Equatable>(_ new: inout Value, was old: Value, at path: String) {
        guard new != old else { return }
        if isFixed {
            fixed.append(path)
            new = old
        } else {
            live.append(path)
        }
    }

    /// The defaults are told of with the groups that have them.
    mutating func noteGroups(_ new: inout Settings, was old: Settings, at path: String) {
        let names = (old: old.groups.map(\.name), new: new.groups.map(\.name))
        newGroups = names.new.filter { !names.old.contains($0) }
        goneGroups = names.old.filter { !names.new.contains($0) }
        live.removeAll { $0.hasPrefix("defaults.") }
        for index in new.groups.indices {
            guard let before = old.groups.first(where: { $0.name == new.groups[index].name }) else { continue }
            for key in Settings.Group.ownKeys + Settings.Group.sharedKeys {
                key.compare(before, &new.groups[index], at: "\(path).\(before.name)", &self)
            }
        }
    }
}
