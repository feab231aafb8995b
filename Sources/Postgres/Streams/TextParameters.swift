/// Texts without zero bytes, as the parameters of a statement.
struct TextParameters: QueryParameters {
    private let texts: [String]

    init(_ texts: String...) {
        self.init(texts)
    }

    init(_ texts: [String]) {
        self.texts = texts
    }

    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        let bytes = texts.flatMap { $0.utf8CString }
        return bytes.withUnsafeBufferPointer { bytes in
            var starts: [UnsafePointer<CChar>?] = []
            var offset = 0
            for text in texts {
                starts.append(bytes.baseAddress.map { $0 + offset })
                offset += text.utf8.count + 1
            }
            return starts.withUnsafeBufferPointer { body(Int32(clamping: texts.count), $0.baseAddress) }
        }
    }
}
