package import CacheCore
import Groundwork
import Logging
import Synchronization

/// What a getter knows of its keys' texts. Any thread may ask and publish.
///
/// Every lookup of every loop asks, so it takes no lock and counts no reference: all loops would share the count. Therefore
/// each reader lives as long as this does. There is one for each set of types that the columns ever had.
final class PublishedKeys: KeySpelling, @unchecked Sendable {
    // Unchecked for its superclass; an atomic and a mutex are all there is.
    private let current = Atomic<Unmanaged<KeyReader>?>(nil)
    private let state = Groundwork.Mutex(State())

    private struct State {
        var known: GroupKeys?
        var readers: [(keys: GroupKeys, reader: KeyReader)] = []
    }

    /// Calls `body` with the reader; nil while the types are unknown.
    @inline(__always)
    private func withReader<Result>(_ body: (KeyReader) -> Result) -> Result? {
        // It is among the state's readers, of which none is ever taken away.
        current.load(ordering: .acquiring)?._withUnsafeGuaranteedRef { body($0) }
    }

    /// Whether changes of the tables tell of `key` under this text. False while the columns' types are unknown.
    override func isOwn(_ key: RawSpan) -> Bool {
        key.withUnsafeBytes { bytes in withReader { $0.isOwn(bytes) } ?? false }
    }

    /// The text under which they tell of it, when it is another one and known.
    override func rewritten(_ key: RawSpan) -> [UInt8]? {
        key.withUnsafeBytes { bytes in withReader { $0.rewritten(bytes) } ?? nil }
    }

    /// Remembers what was found out; nil: nothing is known any more. Returns whether that is news, and whether something else
    /// was known before.
    func note(_ keys: GroupKeys?) -> (isNew: Bool, wasKnown: Bool) {
        state.withLock { state in
            defer { state.known = keys }
            return (state.known != keys, state.known != nil)
        }
    }

    /// Reads keys by `keys` from now on, unless something else was noted meanwhile.
    func publish(_ keys: GroupKeys?) {
        state.withLock { state in
            guard state.known == keys else { return }
            guard let keys else { return current.store(nil, ordering: .releasing) }
            let reader: KeyReader
            if let known = state.readers.first(where: { $0.keys == keys }) {
                reader = known.reader
            } else {
                reader = KeyReader(parameters: keys.parameters, verdicts: keys.verdicts)
                state.readers.append((keys, reader))
            }
            current.store(Unmanaged.passUnretained(reader), ordering: .releasing)
        }
    }
}

extension QueryGetter {
    /// Knows under which text changes of the tables tell of a key; nil without such tables.
    package var spelling: KeySpelling? { keyedBy.isEmpty ? nil : keys }

    /// Whether what is loaded for `key` may be kept.
    func keeps(_ key: Key) -> Bool { keyedBy.isEmpty || keys.isOwn(key.bytes.span.bytes) }
}

extension DatabaseContext {
    /// Tells `getter`, and whoever wants to know, what was found out about its keys.
    func publish(_ keys: GroupKeys?, of getter: QueryGetter) {
        let keys = keys?.missing == nil ? keys : nil
        let (isNew, wasKnown) = getter.keys.note(keys)
        guard isNew else { return }
        // Whoever applies changes knows first, then loads may be kept, and then what was kept by older knowledge goes.
        if let keys {
            onKeysKnown(getter.name, keys.verdicts)
            for (table, verdict) in zip(getter.keyedBy, keys.verdicts) where !table.columns.isEmpty {
                guard case .whole(let why) = verdict else { continue }
                logger.warning(
                    "any change of a table flushes the group",
                    metadata: ["group": "\(getter.name)", "table": "\(table.schema).\(table.name)", "reason": "\(why)"])
            }
        }
        getter.keys.publish(keys)
        if wasKnown { onSchemaChange(getter.name) }
    }
}
