import Groundwork

extension Value {
    /// A text without fields.
    public init(_ text: String) {
        self.init(text: Array(text.utf8))
    }
}

extension Value: Equatable {
    /// Whether both have the same text and fields, or both say that there is no such row. O(bytes).
    public static func == (left: Value, right: Value) -> Bool {
        left.isMissing == right.isMissing && left.textLength == right.textLength
            && left.bytes.hasSameBytes(as: right.bytes)
    }
}

extension String {
    /// The text of a value, repaired where it is no UTF-8; empty when there is no such row. To look at a part of a long one
    /// without copying all of it, take ``Value/text`` and extract that.
    public init(_ value: Value) {
        self = String(decoding: [UInt8](copying: value.text), as: UTF8.self)
    }
}
