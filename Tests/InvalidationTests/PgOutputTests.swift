import Groundwork
import Postgres
import TestSupport
import Testing

@testable import Invalidation

struct PgOutputTests {
    private func isMessage(_ bytes: [UInt8]) -> Bool { (try? PgOutputMessage(parsing: bytes.span.bytes)) != nil }

    private func isFrame(_ bytes: [UInt8]) -> Bool {
        switch ReplicationFrame(bytes.span.bytes) {
        case .data, .keepalive: true
        case nil: false
        }
    }

    @Test func `every kind of message is read whole, and none that ends a byte early or late`() {
        for message in PgOutputBytes.all {
            #expect(isMessage(message), "\(message)")
            for count in 0..<message.count {
                #expect(!isMessage(Array(message[..<count])), "\(message) up to \(count)")
            }
            #expect(!isMessage(message + [0]))
        }
    }

    @Test func `a message of another version is refused`() throws {
        #expect(throws: PgOutputError.unknown(UInt8(ascii: "S"))) {
            _ = try PgOutputMessage(parsing: ([UInt8(ascii: "S")] + Array(repeating: 0, count: 5)).span.bytes)
        }
    }

    @Test func `counts and lengths that promise more than there is cost nothing and are refused`() {
        var columns = PgOutputBytes("I")
        columns.add(UInt32(1))
        columns.bytes.append(UInt8(ascii: "N"))
        columns.add(Int16.max)
        var text = PgOutputBytes("I")
        text.add(UInt32(1))
        text.bytes.append(UInt8(ascii: "N"))
        text.add(Int16(1))
        text.bytes.append(UInt8(ascii: "t"))
        text.add(Int32.max)
        var tables = PgOutputBytes("T")
        tables.add(Int32.max)
        tables.add(UInt8(0))
        for count in [Int32(-1), .min] {
            var negative = PgOutputBytes("T")
            negative.add(count)
            negative.add(UInt8(0))
            #expect(!isMessage(negative.bytes))
        }
        for message in [columns, text, tables] { #expect(!isMessage(message.bytes)) }
    }

    @Test func `a tuple hands out its columns as they were written`() throws {
        let bytes = PgOutputBytes.insert([.text("7"), .null, .unchanged, .text("")], of: 3)
        let message = try PgOutputMessage(parsing: bytes.span.bytes)
        guard case .insert(3, let tuple) = message else { throw Failure("no insert") }
        var seen: [PgOutputBytes.Column] = []
        tuple.forEach { index, column in
            #expect(index == seen.count)
            switch column {
            case .null: seen.append(.null)
            case .unchanged: seen.append(.unchanged)
            case .text(let text): seen.append(.text(text.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }))
            case .binary: Issue.record("nothing is binary")
            }
            return true
        }
        #expect(seen == [.text("7"), .null, .unchanged, .text("")])
    }

    @Test func `messages with bytes changed at random are read or refused`() {
        var random = SplitMix64(seed: 9)
        for _ in 0..<20_000 {
            var message = PgOutputBytes.all.randomElement(using: &random)!
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                message[Int.random(in: message.indices, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let parsed = try? PgOutputMessage(parsing: message.span.bytes) else { continue }
            if case .insert(_, let tuple) = parsed {
                var count = 0
                tuple.forEach { _, _ in
                    count += 1
                    return true
                }
                #expect(count == tuple.count)
            }
        }
    }

    @Test func `frames are data or keepalives, and nothing else`() {
        var data = PgOutputBytes("w")
        for number in [UInt64(1), 2, 3] { data.add(number) }
        for count in 0..<25 { #expect(!isFrame(Array(data.bytes[..<count]))) }
        guard case .data(let message)? = ReplicationFrame((data.bytes + [8, 9]).span.bytes) else {
            Issue.record("no data")
            return
        }
        #expect(message.withUnsafeBytes { Array($0) } == [8, 9])
        var keepalive = PgOutputBytes("k")
        keepalive.add(UInt64(0x16_b374_d848))
        keepalive.add(UInt64(3))
        keepalive.add(UInt8(1))
        for count in 0..<18 { #expect(!isFrame(Array(keepalive.bytes[..<count]))) }
        #expect(!isFrame((keepalive.bytes + [0])))
        guard case .keepalive(let end, true)? = ReplicationFrame(keepalive.bytes.span.bytes) else {
            Issue.record("no keepalive")
            return
        }
        #expect(end.description == "16/B374D848")
    }

    @Test func `a status has 34 bytes`() {
        let status = StandbyStatus(position: LogPosition(bytes: 0x0102_0304_0506_0708), wantsReply: true)
        let position = Array(UInt8(1)...8)
        var expected = [UInt8(ascii: "r")]
        for _ in 0..<3 { expected += position }
        expected += Array(repeating: 0, count: 7)
        expected += [10, 1]
        #expect(status.encoded(clock: 10) == expected)
    }
}
