import CacheCore
import Glibc
import Testing

@testable import LoadTest

@Suite struct KeyDrawTests {
    private func counts(_ draw: KeyDraw, among count: Int, draws: Int) -> [Int] {
        var draw = draw
        var counts = [Int](repeating: 0, count: count)
        for _ in 0..<draws { if let key = draw.next() { counts[key] += 1 } }
        return counts
    }

    @Test func `without skew each key is as likely as any other`() {
        let counts = counts(KeyDraw(among: 100, skew: 0, seed: 1), among: 100, draws: 100_000)
        #expect(counts.allSatisfy { (800...1200).contains($0) })
    }

    @Test(arguments: [0.7, 0.99, 1.0, 1.2])
    func `by Zipf's law a rank's share falls with its power`(_ skew: Double) {
        let draws = 400_000
        let counts = counts(KeyDraw(among: 1000, skew: skew, seed: 1), among: 1000, draws: draws)
        let total = (1...1000).reduce(0) { $0 + 1 / pow(Double($1), skew) }
        // Of the ranks behind the second, the quick way of drawing only approximates the shares of many together.
        for ranks in [0..<1, 1..<2, 2..<10, 10..<100, 100..<1000] {
            let share = ranks.reduce(0) { $0 + 1 / pow(Double($1 + 1), skew) } / total
            let drawn = Double(counts[ranks].reduce(0, +)) / Double(draws)
            #expect(abs(drawn - share) < 0.1 * share, "\(ranks)")
        }
    }

    @Test(arguments: [1, 2, 3]) func `few keys are drawn, too`(_ count: Int) {
        for skew in [0, 0.5, 0.99, 1.0, 2] {
            #expect(counts(KeyDraw(among: count, skew: skew, seed: 1), among: count, draws: 1000).reduce(0, +) == 1000)
        }
    }

    @Test func `in order, several loops draw each key once`() {
        var drawn: [Int] = []
        for first in 0..<3 {
            var draw = KeyDraw(inOrderAmong: 100, from: first, step: 3)
            while let key = draw.next() { drawn.append(key) }
        }
        #expect(drawn.sorted() == Array(0..<100))
    }
}

@Suite struct KeySetTests {
    @Test func `a key is a bulk string, a text, and what its group calls it`() {
        let keys = KeySet(arguments: ["7", "a:b", ""], prefix: "word:")
        #expect(keys.count == 3)
        #expect((0..<3).map { keys.text($0) } == ["word:7", "word:a:b", "word:"])
        #expect((0..<3).map { keys.key($0) } == [Key("7"), Key("a:b"), Key("")])
        var bytes: [UInt8] = []
        for index in 0..<3 { keys.appendBulk(index, to: &bytes) }
        #expect(String(decoding: bytes, as: UTF8.self) == "$6\r\nword:7\r\n$8\r\nword:a:b\r\n$5\r\nword:\r\n")
    }

    @Test func `the first of them, and all of them behind another prefix`() {
        let keys = KeySet(arguments: ["7", "8", "9"], prefix: "word:")
        #expect(keys.prefix(2).count == 2)
        #expect(keys.prefix(2).text(1) == "word:8")
        #expect(keys.prefix(10).count == 3)
        let others = keys.withPrefix("bench:word:")
        #expect((0..<3).map { others.text($0) } == ["bench:word:7", "bench:word:8", "bench:word:9"])
        #expect(others.key(2) == Key("9"))
    }
}
