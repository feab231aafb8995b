/// Carries a value that cannot be copied through code that makes copies, a closure that runs later or an array, to whoever
/// takes it out first. A value that nobody takes ends with its parcel. Any thread.
public final class Parcel<Content: ~Copyable & Sendable>: Sendable {
    private let content: Mutex<Content?>

    /// Packs `content`.
    public init(_ content: consuming Content) {
        self.content = Mutex(content)
    }

    /// What was packed; nil when it was taken before.
    public func take() -> Content? {
        content.withLock { $0.take() }
    }
}
