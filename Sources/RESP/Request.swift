/// One request: a view of its arguments, which stand in the caller's bytes, or in the parser's when it was an inline one.
public struct Request: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline let ranges: Span<ArgumentRange>

    @_lifetime(copy bytes, copy ranges)
    init(bytes: RawSpan, ranges: Span<ArgumentRange>) {
        self.bytes = bytes
        self.ranges = ranges
    }

    /// The number of arguments, the command's name included: at least 1 in a request that was parsed.
    @inlinable
    public var count: Int { ranges.count }

    /// The bytes of an argument; 0 is the command's name. The index is below `count`.
    @inlinable
    public subscript(index: Int) -> RawSpan {
        @_lifetime(copy self)
        get {
            let range = ranges[index]
            return bytes.extracting(Int(range.start)..<Int(range.end))
        }
    }

    /// An argument as a word: the command's name, a subcommand, an option. The index is below `count`.
    @inlinable
    public func word(at index: Int) -> CommandWord { CommandWord(self[index]) }

    /// An argument as a number; nil when it is none, or beyond `Int`. As in Redis there is neither a `+`, nor a leading
    /// zero, nor a space. The index is below `count`.
    public func integer(at index: Int) -> Int? { Decimal.parse(self[index]) }

    /// An argument as text, invalid UTF-8 replaced. The index is below `count`.
    public func string(at index: Int) -> String {
        self[index].withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
