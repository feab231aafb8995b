import Groundwork
import Testing

@testable import Postgres

/// The texts of a `bytea`.
struct ByteaTests {
    private func bytes(_ text: String) -> [UInt8]? { Bytea.bytes(of: Array(text.utf8).span.bytes) }

    @Test func `both forms are read, and what is neither is nothing`() {
        #expect(bytes("\\x00ff7a") == [0, 0xff, 0x7a])
        #expect(bytes("z\\\\\\000\\377") == [0x7a, 0x5c, 0, 0xff])
        #expect(bytes("\\x") == [])
        #expect(bytes("") == [])
        for text in ["\\x0", "\\x0g", "\\xFF", "\\", "\\00", "\\400", "\\08a"] {
            #expect(bytes(text) == nil, "\(text)")
        }
    }

    /// For the thread sanitizer: all empty arrays are one object, into which nobody may write.
    @Test func `two threads read empty ones`() {
        // Neither waits for the other, so nothing says which one is first.
        guard let first = JoinableThread({ _ = bytes("\\x") }), let second = JoinableThread({ _ = bytes("\\x") }) else {
            Issue.record("no thread")
            return
        }
        first.join()
        second.join()
    }
}
