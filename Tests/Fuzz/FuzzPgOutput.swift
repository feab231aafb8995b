// Compiled together with the parser of replication messages by run.sh, not by the package: libFuzzer brings its own main.

import Postgres

/// Feeds one frame, as the stream does: to the frame's reader, to the parser, and to what gathers transactions.
func hear(_ frame: RawSpan, _ gatherer: inout TransactionGatherer) throws(PgOutputError) {
    let message: RawSpan
    switch ReplicationFrame(frame) {
    case .data(let data): message = data
    case .keepalive, nil: message = frame
    }
    let parsed = try PgOutputMessage(parsing: message)
    if case .insert(_, let tuple) = parsed { check(tuple, of: message) }
    if let ended = try gatherer.take(parsed) {
        for change in ended.changes {
            guard case .rows(let keys) = change.what else { continue }
            var texts = 0
            keys.forEach { key in
                for column in keys.columns.indices { texts += key[column]?.byteCount ?? 0 }
            }
            check(texts <= ended.bytes, "keys that take more than was counted")
        }
    }
}

/// A tuple hands out as many columns as it says, all of them out of its message.
func check(_ tuple: borrowing Tuple, of message: RawSpan) {
    var (count, bytes) = (0, 0)
    tuple.forEach { index, column in
        check(index == count, "columns out of order")
        count += 1
        switch column {
        case .text(let text), .binary(let text): bytes += text.byteCount
        case .null, .unchanged: break
        }
        return true
    }
    check(count == tuple.count, "columns are missing")
    check(bytes <= message.byteCount, "columns are longer than their message")
}

func check(_ holds: Bool, _ otherwise: String) {
    if !holds { fatalError(otherwise) }
}

/// Each frame stands behind a byte with its length.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count).bytes
    var gatherer = TransactionGatherer(
        bound: 512, columnLists: { table in table.name.isEmpty ? [] : [["a"], ["b", "a"], []] },
        forms: { _, column in column.type == 25 ? .numeric : column.type == 0 ? nil : .caseless(lowersI: true) })
    var offset = 0
    while offset < count {
        let length = min(Int(start[offset]), count - offset - 1)
        let frame = bytes.extracting(offset + 1..<offset + 1 + length)
        offset += 1 + length
        // An error ends a stream; here it is one frame's, so that the fuzzer gets behind it.
        try? hear(frame, &gatherer)
    }
    return 0
}
