import Groundwork
import RESP
import TestSupport
import Testing

struct OutputBufferTests {
    private func replies(_ write: (inout OutputBuffer) -> Void) -> HeardReplies {
        var output = OutputBuffer()
        write(&output)
        return hearReplies([output.bytes.array])
    }

    private func text(_ write: (inout OutputBuffer) -> Void) -> String {
        var output = OutputBuffer()
        write(&output)
        return String(decoding: output.bytes.array, as: UTF8.self)
    }

    @Test func `what is written is what a client reads`() {
        #expect(replies { $0.appendSimpleString("OK") }.messages == [.simpleString("OK")])
        #expect(replies { $0.appendError("ERR no") }.messages == [.error("ERR no")])
        #expect(replies { $0.appendBulk("caf\u{e9}") }.messages == [.bulk("caf\u{e9}")])
        #expect(replies { $0.appendBulk("") }.messages == [.bulk("")])
        for value in [0, 9, 10, -1, -10, 99, 100, 12345, .max, .min] {
            #expect(replies { $0.appendInteger(value) }.messages == [.integer(value)])
            #expect(replies { $0.appendBulk(decimal: value) }.messages == [.bulk("\(value)")])
        }
    }

    @Test func `what RESP2 lacks is told in its means`() {
        #expect(text { $0.appendNull(.resp2) } == "$-1\r\n")
        #expect(text { $0.appendNull(.resp3) } == "_\r\n")
        #expect(text { $0.appendNullArray(.resp2) } == "*-1\r\n")
        #expect(text { $0.appendNullArray(.resp3) } == "_\r\n")
        #expect(text { $0.appendMapHeader(10, .resp2) } == "*20\r\n")
        #expect(text { $0.appendMapHeader(10, .resp3) } == "%10\r\n")
        #expect(text { $0.appendSetHeader(2, .resp2) } == "*2\r\n")
        #expect(text { $0.appendSetHeader(2, .resp3) } == "~2\r\n")
        #expect(text { $0.appendPushHeader(2, .resp2) } == "*2\r\n")
        #expect(text { $0.appendPushHeader(2, .resp3) } == ">2\r\n")
        #expect(text { $0.appendArrayHeader(0) } == "*0\r\n")
        #expect(text { $0.appendVerbatim("hi", .resp2) } == "$2\r\nhi\r\n")
        #expect(replies { $0.appendVerbatim("hi", .resp3) }.messages == [.verbatim(format: "txt", Array("hi".utf8))])
        #expect(text { $0.appendBulkHeader(12) } == "$12\r\n")
        #expect(text { $0.appendLineEnd() } == "\r\n")
    }

    @Test func `no text inside an error begins a reply of its own`() {
        #expect(
            replies { $0.appendError("ERR unknown command 'x\r\n$-1\r\n'\n") }
                == HeardReplies(messages: [.error("ERR unknown command 'x  $-1  ' ")]))
        let error = ProtocolError.expectedBulk(got: 0x0a)
        #expect(replies { $0.appendError(error) }.messages == [.error("ERR Protocol error: \(error.message)")])
    }

    @Test func `a bulk is written in place whatever its length is and was`() {
        var random = SplitMix64(seed: 3)
        let lengths = [0, 1, 9, 10, 99, 100, 999, 1000, 9999, 10_000, 100_000]
        var output = OutputBuffer()
        var expected: [Reply] = []
        for _ in 0..<400 {
            let bytes = (0..<(lengths.randomElement(using: &random) ?? 0)).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            let isHit = Bool.random(using: &random)
            let result = output.appendBulk(capacity: bytes.count) { span in
                #expect(span.freeCapacity >= bytes.count)
                for byte in bytes { span.append(byte) }
                return isHit
            } onlyIf: {
                $0
            }
            #expect(result == isHit)
            if isHit { expected.append(.bulk(bytes)) }
        }
        #expect(hearReplies([output.bytes.array]) == HeardReplies(messages: expected))
    }

    @Test func `nil from the filling closure appends nothing`() {
        var output = OutputBuffer()
        output.appendSimpleString("OK")
        let miss: Int? = output.appendBulk(capacity: 10) { span in
            span.append(1)
            return nil
        }
        let hit: Int? = output.appendBulk(capacity: 10) { span in
            span.append(UInt8(ascii: "x"))
            return 7
        }
        #expect(miss == nil && hit == 7)
        #expect(hearReplies([output.bytes.array]).messages == [.simpleString("OK"), .bulk("x")])
    }

    @Test func `an error from the filling closure appends nothing`() {
        struct Refused: Error {}
        var output = OutputBuffer()
        #expect(throws: Refused.self) {
            try output.appendRaw(capacity: 4) { (span: inout OutputRawSpan) throws(Refused) in
                span.append(1)
                throw Refused()
            }
        }
        #expect(output.byteCount == 0)
    }

    @Test func `bytes come out as they went in, against a plain array`() {
        var random = SplitMix64(seed: 4)
        var output = OutputBuffer()
        var model: [UInt8] = []
        for step in 0..<20_000 {
            let count = Int.random(in: 0...(step % 100 == 0 ? 50_000 : 500), using: &random)
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &+ step) }
            switch Int.random(in: 0..<6, using: &random) {
            case 0:
                output.append(bytes.span.bytes)
                model += bytes
            case 1:
                output.appendRaw(capacity: count) { span in for byte in bytes { span.append(byte) } }
                model += bytes
            case 2 where step % 50 == 0:
                output.truncate(toByteCount: count)
                if count < model.count { model.removeLast(model.count - count) }
            default:
                output.consume(count)
                model.removeFirst(min(count, model.count))
            }
            #expect(output.byteCount == model.count)
            if step % 20 == 0 {
                #expect(output.bytes.array == model)
                #expect(output.withUnsafeBytes { Array($0) } == model)
            }
        }
    }

    @Test func `memory that grew big is given back when it is empty`() {
        var output = OutputBuffer()
        #expect(output.allocatedByteCount == 0)
        output.append([UInt8](repeating: 1, count: 1 << 20).span.bytes)
        output.consume((1 << 20) - 1)
        #expect(output.bytes.array == [1])
        output.consume(1)
        #expect(output.allocatedByteCount == 0)
        output.append([2, 3 as UInt8].span.bytes)
        output.consume(1)
        #expect(output.bytes.array == [3])
        output.removeAll()
        #expect(output.isEmpty && output.allocatedByteCount > 0)
    }
}
