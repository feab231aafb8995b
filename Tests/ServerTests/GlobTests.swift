import Testing

@testable import Server

struct GlobTests {
    @Test(arguments: [
        ("", "", true), ("", "*", true), ("a", "", false), ("abc", "a*c", true), ("abc", "a*b", false),
        ("abc", "a?c", true),
        ("ac", "a?c", false), ("abcabc", "*abc", true), ("word:1", "word:[0-9]", true), ("word:a", "word:[0-9]", false),
        ("word:a", "word:[^0-9]", true), ("a*", "a\\*", true), ("ab", "a\\*", false), ("a", "[a", true),
        ("]", "[\\]]", true),
        ("aXbXc", "a*X*c", true), ("aaaaaaaaab", "*a*a*a*a*c", false),
    ])
    func `a pattern matches the whole text`(_ text: String, _ pattern: String, _ isMatch: Bool) {
        #expect(Glob.matches(Array(text.utf8), Array(pattern.utf8)) == isMatch)
    }

    @Test func `a pattern of many stars is done in time`() {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 5000)
        let pattern = Array(String(repeating: "*a", count: 500).utf8) + [UInt8(ascii: "b")]
        #expect(!Glob.matches(text, pattern))
    }
}
