import YAML

/// One key of a section: its name, how its value is written, where the value goes, and what is said of it.
struct SettingKey<Section: Sendable>: Sendable {
    /// What stands before the colon.
    let name: String
    /// Reads the value at `path` into the section, or notes what is wrong with it.
    let read: @Sendable (Node, _ path: String, inout Section, inout SettingsReader) -> Void
    private let describeKey: @Sendable (Section) -> SettingDescription?
    /// Notes in what two sections differ, and puts the old value back where a change takes a restart.
    private let compareKey:
        @Sendable (_ old: Section, _ new: inout Section, _ path: String, inout SettingsChange) -> Void
    /// Whether a change takes a restart.
    private var isFixed = false

    /// The same key, of which a change takes a restart.
    var fixed: Self {
        var key = self
        key.isFixed = true
        return key
    }

    /// What the reference and the annotated file say of the key, given a section with the defaults; nil: nothing.
    func describe(_ section: Section) -> SettingDescription? {
        isFixed ? describeKey(section)?.fixed : describeKey(section)
    }

    /// Notes in what two sections differ that stand at `path`, and puts the old values back where a change takes a restart.
    func compare(_ old: Section, _ new: inout Section, at path: String, _ change: inout SettingsChange) {
        let path = path.isEmpty ? name : "\(path).\(name)"
        change.comparing(fixed: isFixed) { compareKey(old, &new, path, &$0) }
    }

    /// A key with one value. The reference says `summary` and `more`, the annotated file `summary`, and `example` where
    /// there is no default.
    init<Value: Equatable>(
        _ name: String, _ field: any WritableKeyPath<Section, Value> & Sendable, _ type: ValueType<Value>,
        _ summary: String, more: String = "", example: String? = nil
    ) {
        self.name = name
        compareKey = { old, new, path, change in
            change.note(&new[keyPath: field], was: old[keyPath: field], at: path)
        }
        read = { node, path, section, reader in
            if let value = reader.value(node, path, type) { section[keyPath: field] = value }
        }
        describeKey = { section in
            SettingDescription(
                name: name, summary: summary, more: more,
                content: .value(
                    expects: type.expects, byDefault: type.render(section[keyPath: field]), example: example))
        }
    }

    /// A key with one value, absent by default.
    init<Value: Equatable>(
        _ name: String, _ field: any WritableKeyPath<Section, Value?> & Sendable, optional type: ValueType<Value>,
        _ summary: String, more: String = "", example: String? = nil
    ) {
        self.init(name, field, type.optional, summary, more: more, example: example)
    }

    /// A key with a list of values, absent by default.
    init<Value: Hashable>(
        _ name: String, _ field: any WritableKeyPath<Section, Set<Value>?> & Sendable, listOf type: ValueType<Value>,
        _ summary: String, more: String = "", example: String? = nil
    ) {
        self.name = name
        compareKey = { old, new, path, change in
            change.note(&new[keyPath: field], was: old[keyPath: field], at: path)
        }
        read = { node, path, section, reader in
            if let values = reader.values(node, path, type) { section[keyPath: field] = Set(values) }
        }
        describeKey = { _ in
            SettingDescription(
                name: name, summary: summary, more: more,
                content: .value(expects: "a list, each \(type.expects)", byDefault: nil, example: example))
        }
    }

    /// A key with a section of its own.
    init<Inner>(
        _ name: String, _ field: any WritableKeyPath<Section, Inner> & Sendable, _ keys: [SettingKey<Inner>],
        _ summary: String
    ) {
        self.name = name
        compareKey = { old, new, path, change in
            for key in keys { key.compare(old[keyPath: field], &new[keyPath: field], at: path, &change) }
        }
        read = { node, path, section, reader in
            reader.section(node, path, into: &section[keyPath: field], keys)
        }
        describeKey = { section in
            let inner = section[keyPath: field]
            return SettingDescription(
                name: name, summary: summary, content: .section(keys.compactMap { $0.describe(inner) }))
        }
    }

    /// A key with a list of values whose order counts, empty by default.
    init<Value: Equatable>(
        _ name: String, _ field: any WritableKeyPath<Section, [Value]> & Sendable, inOrder type: ValueType<Value>,
        _ summary: String
    ) {
        self.name = name
        compareKey = { old, new, path, change in
            change.note(&new[keyPath: field], was: old[keyPath: field], at: path)
        }
        read = { node, path, section, reader in
            if let values = reader.values(node, path, type) { section[keyPath: field] = values }
        }
        describeKey = { _ in
            SettingDescription(
                name: name, summary: summary,
                content: .value(expects: "a list, each \(type.expects)", byDefault: nil, example: nil))
        }
    }

    /// A key with a list of sections, each of which begins as `initial`. The reference tells of them in `expects` and `more`.
    init<Inner: Sendable & Equatable>(
        _ name: String, _ field: any WritableKeyPath<Section, [Inner]> & Sendable, each initial: Inner,
        _ keys: [SettingKey<Inner>], expects: String, _ summary: String, more: String, example: String
    ) {
        self.name = name
        compareKey = { old, new, path, change in
            change.note(&new[keyPath: field], was: old[keyPath: field], at: path)
        }
        read = { node, path, section, reader in
            section[keyPath: field] = reader.sections(node, path, each: initial, keys, expects: expects)
        }
        describeKey = { _ in
            SettingDescription(
                name: name, summary: summary, more: more,
                content: .value(expects: expects, byDefault: nil, example: example))
        }
    }
}

extension SettingKey<Settings> {
    /// The key that holds the groups by name.
    init(groups name: String, _ summary: String, each: String) {
        self.name = name
        compareKey = { old, new, path, change in change.noteGroups(&new, was: old, at: path) }
        read = { node, path, settings, reader in
            settings.groups = reader.groups(node, path, defaults: settings.defaults)
        }
        describeKey = { settings in
            let own = Settings.Group.ownKeys.compactMap { $0.describe(settings.defaults) }
            let shared = Settings.Group.sharedKeys.compactMap { $0.describe(settings.defaults)?.inherited }
            let group = SettingDescription(name: "NAME", summary: each, content: .section(own + shared))
            return SettingDescription(name: name, summary: summary, content: .section([group]))
        }
    }
}
