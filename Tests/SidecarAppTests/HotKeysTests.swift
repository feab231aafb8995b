import Testing

@testable import SidecarApp

/// The file that a warm start reads.
struct HotKeysTests {
    private let keys = HotKeys([
        "a": [[1, 10, 0, 255], [], Array("group a 1\n".utf8)], "b.c": [], "d": [Array("x".utf8)],
    ])

    @Test func `what was written is read, whatever bytes the keys have`() {
        #expect(HotKeys(keys.encoded) == keys)
        #expect(HotKeys(HotKeys().encoded) == HotKeys())
    }

    @Test func `a file that lacks something or has something else is none`() {
        let bytes = keys.encoded
        for end in 0..<bytes.count { #expect(HotKeys(Array(bytes[..<end])) == nil, "\(end)") }
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            #expect(HotKeys(other) == nil, "\(index)")
        }
        #expect(HotKeys(bytes + [10]) == nil)
    }
}
