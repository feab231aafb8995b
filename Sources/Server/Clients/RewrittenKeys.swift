/// The text of a key in its group, when that is not the one on the wire.
struct RewrittenKey: BitwiseCopyable {
    let bytes: UnsafeRawBufferPointer
}

/// Holds what keys of the request that is executed were rewritten to. Confined to its loop.
final class RewrittenKeys {
    // Memory of its own for each, since locations point there while others are added.
    private var keys: [UnsafeMutablePointer<RewrittenKey>] = []

    deinit { forget() }

    /// Holds a text until the next request.
    func hold(_ text: [UInt8]) -> UnsafePointer<RewrittenKey> {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
        bytes.copyBytes(from: text)
        let key = UnsafeMutablePointer<RewrittenKey>.allocate(capacity: 1)
        key.initialize(to: RewrittenKey(bytes: UnsafeRawBufferPointer(bytes)))
        keys.append(key)
        return UnsafePointer(key)
    }

    /// Lets all of them go, before a request is executed.
    @inline(__always)
    func endRequest() {
        if !keys.isEmpty { forget() }
    }

    private func forget() {
        for key in keys {
            key.pointee.bytes.deallocate()
            key.deallocate()
        }
        keys.removeAll()
    }
}
