import Groundwork
import Testing

import func TestSupport.threadTime

@testable import Server

struct GlobTests {
    private func compiled(_ pattern: [UInt8]) -> Glob? { Glob(pattern.span.bytes) }

    @Test(arguments: [
        ("", "", true), ("", "*", true), ("a", "", false), ("abc", "a*c", true), ("abc", "a*b", false),
        ("abc", "a?c", true),
        ("ac", "a?c", false), ("abcabc", "*abc", true), ("word:1", "word:[0-9]", true), ("word:a", "word:[0-9]", false),
        ("word:a", "word:[^0-9]", true), ("a*", "a\\*", true), ("ab", "a\\*", false), ("a", "[a", true),
        ("]", "[\\]]", true),
        ("aXbXc", "a*X*c", true), ("aaaaaaaaab", "*a*a*a*a*c", false),
    ])
    func `a pattern matches the whole text`(_ text: String, _ pattern: String, _ isMatch: Bool) throws {
        let glob = try #require(compiled(Array(pattern.utf8)))
        #expect(glob.matches(Array(text.utf8)) == isMatch)
    }

    @Test func `what matches is what a plain reading of the pattern says`() throws {
        var random = SplitMix64(seed: 7)
        func pick(_ letters: String, _ most: Int) -> [UInt8] {
            let letters = Array(letters.utf8)
            return (0..<Int.random(in: 0...most, using: &random)).map { _ in
                letters[Int.random(in: letters.indices, using: &random)]
            }
        }
        var matches = 0
        for _ in 0..<20_000 {
            let (text, pattern) = (pick("aab", 8), pick("ab**?[^]-\\", 6))
            let glob = try #require(compiled(pattern))
            let expected = Self.matchesPlainly(text[...], pattern[...])
            if expected { matches += 1 }
            #expect(
                glob.matches(text) == expected,
                "\(String(decoding: text, as: UTF8.self)) \(String(decoding: pattern, as: UTF8.self))")
        }
        #expect(matches > 1000)
    }

    @Test func `a pattern takes little more than its bytes, and what it takes is counted`() throws {
        let plain = try #require(compiled(Array(repeating: UInt8(ascii: "a"), count: 1 << 20)))
        #expect(plain.cost == 1 << 20)
        #expect(plain.matches(Array(repeating: UInt8(ascii: "a"), count: 1 << 20)))
        let any = try #require(compiled(Array(repeating: UInt8(ascii: "?"), count: 1 << 20)))
        #expect((9 << 20...10 << 20).contains(any.cost))
        let sets = try #require(compiled((0..<1 << 18).flatMap { _ in Array("[ab]".utf8) }))
        #expect((19 << 20...20 << 20).contains(sets.cost))
        #expect(sets.matches(Array(repeating: UInt8(ascii: "b"), count: 1 << 18)))
    }

    /// By trying everything.
    private static func matchesPlainly(_ text: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return text.isEmpty }
        let rest = pattern.dropFirst()
        switch first {
        case UInt8(ascii: "*"):
            return (text.startIndex...text.endIndex).contains { matchesPlainly(text[$0...], rest) }
        case UInt8(ascii: "?"): return !text.isEmpty && matchesPlainly(text.dropFirst(), rest)
        case UInt8(ascii: "\\"):
            guard let escaped = rest.first else { return text.first == first && text.count == 1 }
            return text.first == escaped && matchesPlainly(text.dropFirst(), rest.dropFirst())
        case UInt8(ascii: "["):
            var members = rest
            let isNegated = members.first == UInt8(ascii: "^")
            if isNegated { members = members.dropFirst() }
            var isIn = false
            while let low = members.first, low != UInt8(ascii: "]") {
                if low == UInt8(ascii: "\\"), members.count > 1 { members = members.dropFirst() }
                guard let low = members.first else { break }
                let range = Array(members.prefix(3))
                if range.count == 3, range[1] == UInt8(ascii: "-"), range[2] != UInt8(ascii: "]") {
                    if let byte = text.first, min(low, range[2])...max(low, range[2]) ~= byte { isIn = true }
                    members = members.dropFirst(3)
                } else {
                    if text.first == low { isIn = true }
                    members = members.dropFirst()
                }
            }
            return !text.isEmpty && isIn != isNegated && matchesPlainly(text.dropFirst(), members.dropFirst())
        default: return text.first == first && matchesPlainly(text.dropFirst(), rest)
        }
    }

    /// Patterns that an attacker would choose for texts of 32 KiB, and what each has to be.
    @Test(arguments: [
        String(repeating: "*a", count: 500) + "b", "*" + String(repeating: "a", count: 16_000) + "b*",
        "*" + String(repeating: "?", count: 63) + "b*", String(repeating: "*", count: 100_000) + "b",
        String(repeating: "[a-z]", count: 20_000) + "*b", "*[" + String(repeating: "a-z", count: 300_000) + "]b*",
    ])
    func `no pattern takes more than linear time`(_ pattern: String) throws {
        let text = [UInt8](repeating: UInt8(ascii: "a"), count: 32 << 10)
        let glob = try #require(compiled(Array(pattern.utf8)))
        let began = threadTime()
        for _ in 0..<2 { #expect(!glob.matches(text)) }
        // Quadratic time is minutes of it.
        #expect(threadTime() - began < .seconds(15))
    }

    @Test func `a pattern that could not be matched in linear time is refused`() {
        let long = String(repeating: "?", count: 65)
        #expect(compiled(Array("*\(long)*".utf8)) == nil)
        #expect(compiled(Array("\(long)*\(long)".utf8)) != nil)
        #expect(compiled(Array("*\(String(repeating: "a", count: 65))*".utf8)) != nil)
    }
}
