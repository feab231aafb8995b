import Glibc
import Testing

@testable import SidecarApp

struct ProgramTextTests {
    @Test func `only executed mappings of files are given back`() throws {
        let text = try #require(
            CodeMapping("7f00aa000000-7f00aa003000 r-xp 00026000 fe:00 393 /usr/lib/x86_64-linux-gnu/libc.so.6\n"))
        #expect(UInt(bitPattern: text.start) == 0x7f00_aa00_0000)
        #expect(text.byteCount == 0x3000)
        for line in [
            "7f00aa000000-7f00aa003000 r--p 00026000 fe:00 393 /usr/lib/libc.so.6",  // relocated, then protected
            "7f00aa000000-7f00aa003000 rw-p 00026000 fe:00 393 /usr/lib/libc.so.6",
            "7ffd1a5f6000-7ffd1a5f8000 r-xp 00000000 00:00 0 [vdso]",
            "7f00aa000000-7f00aa003000 r-xp 00000000 00:00 0",  // made at run time
            "7f00aa003000-7f00aa000000 r-xp 00026000 fe:00 393 /usr/lib/libc.so.6",
            "", "x", "7f00 r-xp 0 fe:00 393 x",
        ] { #expect(CodeMapping(line) == nil, "\(line)") }
    }

    @Test func `the process goes on when its program text was given back`() {
        for _ in 0..<3 { ProgramText.release() }
        #expect(String(getpid()).isEmpty == false)
    }
}
