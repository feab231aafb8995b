/// What docs/settings.md and Config/pgsidecar.yaml say of one key; `make docs` writes both.
struct SettingDescription: Sendable {
    /// What stands before the colon.
    let name: String
    /// What it is for, in one sentence.
    var summary: String
    /// What else is to be known, in Markdown.
    var more = ""
    /// What stands behind the colon.
    private(set) var content: Content
    /// Whether it is one of the `defaults`, told again for a group.
    private(set) var isInherited = false

    /// What stands behind the colon.
    enum Content: Sendable {
        /// One value: what a right one looks like, the default as the file would write it, and an example where there is none.
        case value(expects: String, byDefault: String?, example: String?)
        /// The keys below it.
        case section([SettingDescription])
    }

    /// The same, with the word that a change takes a restart.
    var fixed: SettingDescription {
        var copy = self
        switch content {
        case .value: copy.more += (more.isEmpty ? "" : " ") + "A change takes a restart."
        case .section(let inner): copy.content = .section(inner.map(\.fixed))
        }
        return copy
    }

    /// The same for a group that says otherwise than the `defaults`.
    var inherited: SettingDescription {
        var copy = self
        copy.summary = "As `defaults.\(name)`, for this group."
        copy.more = ""
        copy.isInherited = true
        return copy
    }
}
