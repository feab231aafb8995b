/// Reads the keys of a group that the database invalidates: each part by the form of its parameter. Immutable.
///
/// A class for one reason: lookups hold no reference to it, see ``PublishedKeys``.
final class KeyReader: Sendable {
    /// How one part of a key is read.
    struct Part: Sendable, Equatable {
        /// The parameter's form.
        var form: KeyForm
        /// The forms of columns of another type that it is compared with: its text has to be theirs, too.
        var others: [KeyForm] = []
    }

    /// Empty: no invalidation tells of keys, so one text is as good as any other.
    let parts: [Part]
    /// The form of a key that has one part, at hand.
    private let only: KeyForm?

    private static let separator = UInt8(ascii: ":")

    init(_ parts: [Part]) {
        self.parts = parts
        only = parts.count == 1 && parts[0].others.isEmpty ? parts[0].form : nil
    }

    /// Whether `key` is the text under which an invalidation knows it. O(its length).
    @inline(__always)
    func isOwn(_ key: UnsafeRawBufferPointer) -> Bool {
        if let only { return only.isOwn(key) }
        return parts.isEmpty || isOwnOfSeveral(key)
    }

    private func isOwnOfSeveral(_ key: UnsafeRawBufferPointer) -> Bool {
        forEachPart(of: key) { part, text in
            part.form.isOwn(text) && part.others.allSatisfy { $0.isOwn(text) }
        }
    }

    /// That text, when `key` is another one for the same; nil when it is unknown, or is `key`.
    func rewritten(_ key: UnsafeRawBufferPointer) -> [UInt8]? {
        guard !parts.isEmpty else { return nil }
        var own: [UInt8] = []
        own.reserveCapacity(key.count)
        var isFirst = true
        let isKnown = forEachPart(of: key) { part, text in
            if !isFirst { own.append(Self.separator) }
            isFirst = false
            if part.form.isOwn(text) {
                own += text
            } else {
                guard let text = part.form.rewritten(text) else { return false }
                own += text
            }
            return true
        }
        // What two forms disagree about, or what has another number of parts once it is written out, has no own text.
        guard isKnown, own.withUnsafeBytes({ isOwn($0) }) else { return nil }
        return own
    }

    /// Calls `body` with each part; stops at the first that it says false for. False then, and when there are too few.
    private func forEachPart(
        of key: UnsafeRawBufferPointer, _ body: (Part, UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var rest = key[...]
        for (number, part) in parts.enumerated() {
            var end = rest.endIndex
            if number + 1 < parts.count {
                guard let separator = rest.firstIndex(of: Self.separator) else { return false }
                end = separator
            }
            guard body(part, UnsafeRawBufferPointer(rebasing: rest[..<end])) else { return false }
            rest = rest[end...].dropFirst()
        }
        return true
    }
}
