import CacheCore

/// The text of a value that is sent from where it is instead of being copied. Copying this costs a reference.
struct SharedBytes {
    let value: Value
    let byteCount: Int

    init(textOf value: Value) {
        self.value = value
        byteCount = value.text.byteCount
    }

    /// Calls `body` with the bytes from `offset` on, which is at most ``byteCount``.
    func withBytes<R>(from offset: Int, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        value.text.extracting(droppingFirst: offset).withUnsafeBytes(body)
    }
}
