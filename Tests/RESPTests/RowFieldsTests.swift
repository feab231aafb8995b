import Groundwork
import RESP
import Testing

struct RowFieldsTests {
    private func encoded(_ columns: [(name: [UInt8], text: [UInt8])], text: [UInt8] = []) -> [UInt8] {
        var row = RowEncoder(text: text.span.bytes)
        for column in columns { row.append(name: column.name.span.bytes, value: column.text.span.bytes) }
        #expect(row.textLength == text.count && Array(row.bytes.prefix(text.count)) == text)
        return Array(row.bytes.dropFirst(text.count))
    }

    @Test func `the hash form is a count and bulk strings`() {
        let fields = encoded([(Array("id".utf8), Array("7".utf8)), (Array("name".utf8), [])], text: Array("{}".utf8))
        #expect(fields == [2, 0, 0, 0] + Array("$2\r\nid\r\n$1\r\n7\r\n$4\r\nname\r\n$0\r\n\r\n".utf8))
    }

    @Test func `what was written is read, for columns of all lengths and bytes`() {
        var random = SplitMix64(seed: 7)
        for count in [0, 1, 2, 255, 256, 300] {
            let columns = (0..<count).map { index in
                let bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                return (name: Array("c\(index)\r\n".utf8), text: bytes)
            }
            let bytes = encoded(columns)
            let fields = RowFields(bytes.span.bytes)
            #expect(fields.count == count)
            var read: [[UInt8]] = []
            fields.forEach { name, text in read += [name.array, text.array] }
            #expect(read == columns.flatMap { [$0.name, $0.text] })
            for column in columns {
                let bulk = fields.bulk(of: column.name.span.bytes)?.array
                #expect(bulk == Array("$\(column.text.count)\r\n".utf8) + column.text + [13, 10])
            }
            let none = fields.bulk(of: Array("none".utf8).span.bytes)?.byteCount
            #expect(none == nil)
        }
    }

    @Test func `bytes that are cut off or changed anywhere end the reading`() {
        let bytes = encoded([(Array("id".utf8), Array("77".utf8)), (Array("name".utf8), Array("Ada".utf8))])
        for end in 0..<bytes.count {
            let cut = Array(bytes[..<end])
            RowFields(cut.span.bytes).forEach { _, _ in }
            _ = RowFields(cut.span.bytes).bulk(of: Array("name".utf8).span.bytes)?.byteCount
        }
        for offset in bytes.indices {
            for value in [0, 13, 36, 45, 57, 255] as [UInt8] {
                var changed = bytes
                changed[offset] = value
                RowFields(changed.span.bytes).forEach { name, text in
                    #expect(name.byteCount + text.byteCount < changed.count)
                }
            }
        }
    }
}
