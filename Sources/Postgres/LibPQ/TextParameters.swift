/// Texts without zero bytes, as the parameters of a statement; nil for NULL.
struct TextParameters: QueryParameters {
    private let texts: [String?]

    init(_ texts: String...) {
        self.init(texts)
    }

    init(_ texts: [String?]) {
        self.texts = texts
    }

    func withParameters<Result>(_ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?) -> Result) -> Result {
        let bytes = texts.flatMap { $0?.utf8CString ?? [] }
        return bytes.withUnsafeBufferPointer { bytes in
            var offset = 0
            let starts = texts.map { text -> UnsafePointer<CChar>? in
                guard let text else { return nil }
                defer { offset += text.utf8.count + 1 }
                return bytes.baseAddress.map { $0 + offset }
            }
            return starts.withUnsafeBufferPointer { body(Int32(clamping: texts.count), $0.baseAddress) }
        }
    }
}
