import Testing

@testable import SidecarApp

/// The file that a warm start reads.
struct RecentKeysTests {
    private let keys = RecentKeys([
        "a": [[1, 10, 0, 255], [], Array("group a 1\n".utf8)], "b.c": [], "d": [Array("x".utf8)],
    ])

    @Test func `what was written is read, whatever bytes the keys have`() {
        #expect(RecentKeys(keys.encoded) == keys)
        #expect(RecentKeys(RecentKeys().encoded) == RecentKeys())
    }

    @Test func `a file that lacks something or has something else is none`() {
        let bytes = keys.encoded
        for end in 0..<bytes.count { #expect(RecentKeys(Array(bytes[..<end])) == nil, "\(end)") }
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            #expect(RecentKeys(other) == nil, "\(index)")
        }
        #expect(RecentKeys(bytes + [10]) == nil)
    }

    @Test func `a file of another version is told from a damaged one`() {
        #expect(RecentKeys.areOfOtherVersion(Array("pgsidecar hot keys 1\nend 0\n".utf8)))
        #expect(RecentKeys.areOfOtherVersion(Array("pgsidecar recent keys 2\n".utf8)))
        #expect(!RecentKeys.areOfOtherVersion(Array(keys.encoded.dropLast())))
        for text in ["", "rubbish", "pgsidecar recent keys 2", "rubbish\npgsidecar recent keys 2\n"] {
            #expect(!RecentKeys.areOfOtherVersion(Array(text.utf8)), "\(text)")
        }
    }
}
