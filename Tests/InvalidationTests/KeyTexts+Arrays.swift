import Groundwork

@testable import Invalidation

extension KeyTexts {
    /// Keys as arrays of texts, nil for NULL.
    init(_ columns: [String], _ keys: [[[UInt8]?]]) {
        self.init(columns: columns)
        for text in keys.joined() {
            if let text { append(text.span.bytes) } else { append(nil) }
        }
    }

    var arrays: [[[UInt8]?]] {
        var keys: [[[UInt8]?]] = []
        forEach { key in
            var texts: [[UInt8]?] = []
            for column in columns.indices {
                if let text = key[column] { texts.append([UInt8](copying: text)) } else { texts.append(nil) }
            }
            keys.append(texts)
        }
        return keys
    }
}

extension TableChange.What {
    static func rows(columns: [String], keys: [[[UInt8]?]]) -> Self { .rows(KeyTexts(columns, keys)) }
}
