import Glibc
import Testing

@testable import SidecarApp

struct ProgramTextTests {
    @Test func `code that was given back comes back when it is run`() {
        for round in 0..<3 {
            ProgramText.release()
            #expect(String(round * 1000).count > 0)
        }
    }
}
