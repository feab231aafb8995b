import CacheCore
import Foundation
import Groundwork
import RESP
import TestSupport

@testable import Server

/// What is asked in the tests of delivery, with the bytes that have to come back.
struct Question {
    let request: [UInt8]
    let reply: [UInt8]

    /// The text of a key that ends in `-size`: recognisable at every offset.
    static func text(_ size: Int) -> [UInt8] {
        let start = size % 1000
        var text: [UInt8] = []
        text.reserveCapacity(size)
        while text.count < size { text += pattern[start..<start + min(size - text.count, pattern.count - start)] }
        return text
    }

    /// Of a length that no power of two is a multiple of.
    private static let pattern: [UInt8] = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }

    /// Loads `row:NAME-SIZE`: a text of so many bytes, and columns `id` and `body`, which is that text again. A size below 0 is
    /// no row, and `bad` is an error.
    static func getter() -> HeldGetter {
        HeldGetter { key in
            guard key != "bad" else { return .error(LoadError(.query, "refused")) }
            guard let size = key.split(separator: "-").last.flatMap({ Int($0) }), key.contains("-") else {
                return .value(.missing)
            }
            let text = text(size)
            var row = RowEncoder(text: text.span.bytes, fieldBytes: size + 64)
            row.append(name: Array("id".utf8).span.bytes, value: Array(key.utf8).span.bytes)
            row.append(name: Array("body".utf8).span.bytes, value: text.span.bytes)
            return .value(Value(row))
        }
    }

    static func bulk(_ bytes: [UInt8]) -> [UInt8] { Array("$\(bytes.count)\r\n".utf8) + bytes + [13, 10] }

    static func get(_ name: String, _ size: Int) -> Question {
        Question(request: TestClient.encoded(["GET", "row:\(name)-\(size)"]), reply: bulk(text(size)))
    }

    /// One that is chosen by chance, about rows named `name` of at most `most` bytes.
    static func random(_ name: String, most: Int, by generator: inout SplitMix64) -> Question {
        func size() -> Int {
            let sizes = [0, 1, 9, 10, 99, 100, 1000, 16_383, 16_384, 16_385, 65_536, 70_000, 212_992, 213_100, 1 << 20]
            return Bool.random(using: &generator)
                ? Int.random(in: 0...200, using: &generator)
                : min(most, sizes.randomElement(using: &generator) ?? 0)
        }
        func key(_ size: Int) -> String { "row:\(name)-\(size)" }
        func encoded(_ words: String...) -> [UInt8] { TestClient.encoded(words) }
        let size = size()
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: return Question(request: encoded("PING"), reply: Array("+PONG\r\n".utf8))
        case 1: return Question(request: encoded("GET", "row:none"), reply: Array("$-1\r\n".utf8))
        case 2: return Question(request: encoded("GET", "row:bad"), reply: Array("-QUERY refused\r\n".utf8))
        case 3:
            return Question(request: encoded("EXISTS", key(size), "row:none", key(size)), reply: Array(":2\r\n".utf8))
        case 4: return Question(request: encoded("HGET", key(size), "id"), reply: bulk(Array("\(name)-\(size)".utf8)))
        case 5: return Question(request: encoded("HGET", key(size), "body"), reply: bulk(text(size)))
        case 6:
            return Question(
                request: encoded("HGETALL", key(size)),
                reply: Array("*4\r\n".utf8) + bulk(Array("id".utf8)) + bulk(Array("\(name)-\(size)".utf8))
                    + bulk(Array("body".utf8)) + bulk(text(size)))
        case 7:
            let other = Int.random(in: 0...100, using: &generator)
            return Question(
                request: encoded("MGET", key(size), key(other), "row:none", key(size)),
                reply: Array("*4\r\n".utf8) + bulk(text(size)) + bulk(text(other)) + Array("$-1\r\n".utf8)
                    + bulk(text(size)))
        case 8:
            return Question(
                request: encoded("MGET", key(size), "row:bad"), reply: Array("-QUERY key 'row:bad': refused\r\n".utf8))
        default: return .get(name, size)
        }
    }
}

/// Ends each load on a thread of its own, a moment after it began.
final class LaterGetter: KeyedGetter {
    let keyParts: Int? = 1
    private let held: HeldGetter
    private let queue = DispatchQueue(label: "later")

    /// Answers with what `rule` says.
    init(_ rule: @escaping @Sendable (String) -> Value) {
        self.rule = rule
        held = HeldGetter()
    }

    private let rule: @Sendable (String) -> Value

    func load(_ flight: consuming Flight) {
        let key = String(decoding: flight.key.bytes, as: UTF8.self)
        held.load(flight)
        queue.async { [self] in _ = held.finish(key, .success(rule(key))) }
    }
}
