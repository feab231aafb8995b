// Compiled together with Sources/Invalidation/Notify and Mapping by run.sh, not by the package: libFuzzer brings its own main.

/// Each payload is nobody's, or can't be read, or is a change in which all belongs together.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPayload(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    switch NotifyPayload(bytes) {
    case .foreign: check(!bytes.starts(with: "pgs".utf8), "a trigger's payload that is nobody's")
    case .unreadable: check(bytes.starts(with: "pgs".utf8), "a payload of nobody's that can't be read")
    case .change(let change):
        check(!change.table.schema.isEmpty && !change.table.name.isEmpty, "a table without a name")
        guard case .rows(let keys) = change.what else { break }
        check(keys.columns.count <= NotifyPayload.columnLimit, "more columns than there may be")
        var texts = 0
        keys.forEach { key in
            for column in keys.columns.indices { texts += key[column]?.byteCount ?? 0 }
        }
        check(texts <= count && keys.count <= count, "more than was there")
    }
    return 0
}

func check(_ isRight: Bool, _ problem: String) {
    if !isRight { fatalError(problem) }
}
