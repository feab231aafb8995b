package import CacheCore
package import RESP

extension Value {
    /// What a getter makes of a row.
    package init(_ row: RowEncoder) {
        self.init(bytes: row.bytes, textLength: row.textLength)
    }
}
