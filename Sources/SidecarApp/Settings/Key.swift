import YAML

/// One key of a section: its name, how its value is written, and where the value goes.
struct Key<Section: Sendable>: Sendable {
    /// What stands before the colon.
    let name: String
    /// Reads the value at `path` into the section, or notes what is wrong with it.
    let read: @Sendable (Node, _ path: String, inout Section, inout SettingsReader) -> Void
    /// What the reference says of this key, or of the keys below it, each with its path from here.
    let references: [Reference]

    /// A key with one value.
    init<Value>(
        _ name: String, _ place: any WritableKeyPath<Section, Value> & Sendable, _ type: ValueType<Value>,
        _ summary: String
    ) where Section: HasDefaults {
        self.name = name
        read = { node, path, section, reader in
            if let value = reader.value(node, path, type) { section[keyPath: place] = value }
        }
        references = [
            Reference(
                path: name, expects: type.expects, byDefault: type.render(Section()[keyPath: place]), summary: summary)
        ]
    }

    /// A key with one value, absent by default.
    init<Value>(
        _ name: String, _ place: any WritableKeyPath<Section, Value?> & Sendable, optional type: ValueType<Value>,
        _ summary: String
    ) where Section: HasDefaults {
        self.init(name, place, type.optional, summary)
    }

    /// A key with a list of values.
    init<Value>(
        _ name: String, _ place: any WritableKeyPath<Section, [Value]?> & Sendable, listOf type: ValueType<Value>,
        _ summary: String
    ) {
        self.name = name
        read = { node, path, section, reader in
            if let values = reader.values(node, path, type) { section[keyPath: place] = values }
        }
        references = [Reference(path: name, expects: "a list, each \(type.expects)", byDefault: nil, summary: summary)]
    }

    /// A key with a section of its own.
    init<Inner>(
        _ name: String, _ place: any WritableKeyPath<Section, Inner> & Sendable, _ keys: [Key<Inner>],
        _ summary: String
    ) {
        self.name = name
        read = { node, path, section, reader in
            reader.section(node, path, into: &section[keyPath: place], keys)
        }
        references = keys.flatMap(\.references).map { $0.below(name) }
    }

    /// A key that a later version will have.
    init(later name: String) {
        self.name = name
        read = { node, path, _, reader in
            reader.note("\(path): not available in this version of pgsidecar; remove the line", at: node.mark)
        }
        references = []
    }
}

extension Key<Settings> {
    /// The key that holds the groups by name.
    init(groups name: String, _ summary: String) {
        self.name = name
        read = { node, path, settings, reader in
            settings.groups = reader.groups(node, path, defaults: settings.defaults)
        }
        references = (Settings.Group.ownKeys + Settings.Group.sharedKeys).flatMap(\.references)
            .map { $0.below("NAME").below(name) }
    }
}

/// What the reference says of one setting.
struct Reference: Sendable {
    /// The names from the top of the file: `listen.max_clients`.
    var path: String
    /// What a right value looks like.
    let expects: String
    /// The default as the file would write it; nil when the setting is absent by default.
    let byDefault: String?
    /// What it is for.
    let summary: String

    func below(_ section: String) -> Reference {
        var copy = self
        copy.path = "\(section).\(path)"
        return copy
    }
}

/// A section that says what holds when the file says nothing.
protocol HasDefaults {
    init()
}

extension Settings: HasDefaults {}
extension Settings.Database: HasDefaults {}
extension Settings.Listen: HasDefaults {}
extension Settings.Log: HasDefaults {}
extension Settings.Group: HasDefaults {}
extension Settings.Group.Batch: HasDefaults {}
