/// A getter that knows the texts of its keys.
package protocol KeyedGetter: Getter {
    /// How many parts, separated by `:`, a key has; nil when any number will do. Always the same.
    var keyParts: Int? { get }

    /// What knows the texts of keys, where one value may be asked for under several; nil where each text is a key of its own.
    /// Always the same, and alive as long as the getter.
    var spelling: KeySpelling? { get }
}

extension KeyedGetter {
    /// Each text is a key of its own.
    package var spelling: KeySpelling? { nil }
}

/// Knows the one text under which what a key stands for is kept, however the key is spelled: `7` for `007`.
///
/// A group that hears of changes hears of them under that text, so nothing may be kept under another. The getter sees to that
/// (``Value/transient()``); a lookup asks for the text first, so that every spelling finds what is kept. Any thread may ask.
///
/// A class to inherit from and not a protocol, so that each lookup can ask without counting a reference: all loops would share
/// the count. `Unmanaged` takes no value of a protocol, and to call a closure that a final class holds counts its context.
/// Open, since other modules inherit from it, to which a `package` class is closed; only getters of this package have one.
open class KeySpelling: @unchecked Sendable {
    // Unchecked, as it may be inherited from; there is nothing in it, and subclasses say how they are safe.

    /// For subclasses.
    public init() {}

    /// Whether what is loaded for `key` may be kept under it. A few nanoseconds where it is so.
    open func isOwn(_ key: RawSpan) -> Bool { true }

    /// The other text under which it is kept; nil when that is `key`, or is not known.
    open func rewritten(_ key: RawSpan) -> [UInt8]? { nil }
}
