/// Where one argument stands in the bytes of its request.
@usableFromInline
struct ArgumentRange: Sendable {
    @usableFromInline var start: UInt32
    @usableFromInline var end: UInt32

    /// `RequestLimits` keeps every offset below 2 GiB.
    @inline(__always)
    init(start: Int, end: Int) {
        self.start = UInt32(truncatingIfNeeded: start)
        self.end = UInt32(truncatingIfNeeded: end)
    }
}

/// An incremental parser of requests: arrays of bulk strings, and inline requests (a line of words).
///
/// It belongs to one connection. On `.incomplete` the caller appends what arrives and calls again with the same beginning;
/// scanning resumes where it stopped, so a request that arrives byte by byte costs linear time. A warm parser allocates
/// nothing for an array, and never reserves memory for what a length only declares (CVE-2021-32675). It looks at no byte
/// beyond `RequestLimits.requestBytes`, so the outcome doesn't depend on how the bytes were cut.
public struct RequestParser: ~Copyable, Sendable {
    /// What `parse` found at the beginning of the bytes.
    public enum Progress: Sendable, Equatable {
        /// A request of so many bytes; its arguments are there until the next `parse`.
        case request(byteCount: Int)
        /// So many bytes that ask for nothing: an empty line, `*0`, or, as Redis has it, a negative number of arguments.
        case empty(byteCount: Int)
        /// Not yet a request. It has at least so many bytes in all, which is never above the limit.
        case incomplete(atLeast: Int)
    }

    private enum State {
        /// Nothing of a request was seen, or not the whole first line of an array. Becomes any other.
        case beginning
        /// A line without its end so far; becomes `beginning`.
        case line(scanned: Int)
        /// So many arguments are still to come, the next at this offset; becomes `beginning`.
        case arguments(next: Int, remaining: Int)
    }

    /// What a parser keeps allocated between requests: more than usual commands need.
    static let retainedArguments = 1024
    static let retainedInlineBytes = 4096

    private let limits: RequestLimits
    private var state = State.beginning
    /// The arguments so far, and behind them leftovers of longer requests: overwriting is cheaper than removing.
    private var ranges: [ArgumentRange] = []
    /// How many of them are there so far.
    private var parsedArguments = 0
    /// The number of arguments of the request that the last `parse` found, the command's name included; 0 if it found
    /// none.
    public private(set) var argumentCount = 0
    /// The arguments of an inline request, unquoted, one behind the other.
    private var inlineBytes: [UInt8] = []
    private var isInline = false

    /// A parser at the beginning of a connection.
    public init(limits: RequestLimits = RequestLimits()) {
        self.limits = limits
    }

    /// Whether nothing of a request was seen: then the bytes may also be read in another way.
    public var isAtBeginning: Bool {
        if case .beginning = state { true } else { false }
    }

    /// The bound on one request.
    public var requestLimit: Int { limits.requestBytes }

    /// Parses one request at the beginning of `bytes`.
    /// After an error the parser is as new, but the bytes have no known next request.
    public mutating func parse(_ bytes: RawSpan) throws(ProtocolError) -> Progress {
        let resumed = state
        state = .beginning
        argumentCount = 0
        switch resumed {
        case .arguments(let next, let remaining):
            return try parseArguments(bytes, from: next, remaining: remaining)
        case .line(let scanned):
            return try parseLine(bytes, from: scanned)
        case .beginning:
            clear()
            if bytes.isEmpty { return .incomplete(atLeast: 1) }
            if bytes.byte(at: 0) != ASCII.asterisk { return try parseLine(bytes, from: 0) }
            return try parseArray(bytes)
        }
    }

    /// The request that the last `parse` found at the beginning of these same `bytes`.
    /// Without one the view has no arguments.
    @_lifetime(borrow self, copy bytes)
    public func request(in bytes: RawSpan) -> Request {
        Request(bytes: isInline ? inlineBytes.span.bytes : bytes, ranges: ranges.span.extracting(first: argumentCount))
    }

    private mutating func clear() {
        isInline = false
        parsedArguments = 0
        if ranges.count > Self.retainedArguments { ranges = [] }
    }

    @inline(__always)
    private mutating func appendArgument(from start: Int, to end: Int) {
        let range = ArgumentRange(start: start, end: end)
        if parsedArguments < ranges.count { ranges[parsedArguments] = range } else { ranges.append(range) }
        parsedArguments += 1
    }

    private mutating func parseArray(_ bytes: RawSpan) throws(ProtocolError) -> Progress {
        let end = min(bytes.byteCount, limits.requestBytes)
        switch LengthLine.read(bytes, from: 1, to: end) {
        case .malformed: throw .invalidMultibulkLength
        case .incomplete: return try incomplete(bytes, atLeast: end + 1)
        case .length(let count, let next):
            guard count <= limits.arguments else { throw .invalidMultibulkLength }
            guard count > 0 else { return .empty(byteCount: next) }
            return try parseArguments(bytes, from: next, remaining: count)
        }
    }

    private mutating func parseArguments(
        _ bytes: RawSpan, from start: Int, remaining: Int
    ) throws(ProtocolError) -> Progress {
        let end = min(bytes.byteCount, limits.requestBytes)
        var next = start
        var remaining = remaining
        while remaining > 0 {
            guard next < end else { return try incomplete(bytes, next: next, remaining: remaining, atLeast: next + 1) }
            let type = bytes.byte(at: next)
            guard type == ASCII.dollar else { throw .expectedBulk(got: type) }
            switch LengthLine.read(bytes, from: next + 1, to: end) {
            case .malformed: throw .invalidBulkLength
            case .incomplete: return try incomplete(bytes, next: next, remaining: remaining, atLeast: end + 1)
            case .length(let length, let argument):
                guard length >= 0, length <= limits.requestBytes else { throw .invalidBulkLength }
                let argumentEnd = argument + length
                let lineEnd = argumentEnd + 2
                guard lineEnd <= limits.requestBytes else { throw .requestTooBig }
                guard lineEnd <= end else {
                    return try incomplete(bytes, next: next, remaining: remaining, atLeast: lineEnd)
                }
                guard bytes.byte(at: argumentEnd) == ASCII.carriageReturn,
                    bytes.byte(at: argumentEnd + 1) == ASCII.lineFeed
                else { throw .missingLineEnd }
                appendArgument(from: argument, to: argumentEnd)
                next = lineEnd
                remaining -= 1
            }
        }
        argumentCount = parsedArguments
        return .request(byteCount: next)
    }

    /// Stops in front of the argument at `next`, to resume there.
    private mutating func incomplete(
        _ bytes: RawSpan, next: Int, remaining: Int, atLeast needed: Int
    ) throws(ProtocolError) -> Progress {
        let progress = try incomplete(bytes, atLeast: needed)
        state = .arguments(next: next, remaining: remaining)
        return progress
    }

    private func incomplete(_ bytes: RawSpan, atLeast needed: Int) throws(ProtocolError) -> Progress {
        guard bytes.byteCount < limits.requestBytes else { throw .requestTooBig }
        return .incomplete(atLeast: min(needed, limits.requestBytes))
    }

    private mutating func parseLine(_ bytes: RawSpan, from scanned: Int) throws(ProtocolError) -> Progress {
        let limit = min(limits.inlineBytes, limits.requestBytes)
        let end = min(bytes.byteCount, limit)
        var offset = scanned
        while offset < end, bytes.byte(at: offset) != ASCII.lineFeed { offset += 1 }
        guard offset < end else {
            guard end < limit else { throw .inlineTooBig }
            state = .line(scanned: end)
            return .incomplete(atLeast: end + 1)
        }
        let hasReturn = offset > 0 && bytes.byte(at: offset - 1) == ASCII.carriageReturn
        try split(bytes.extracting(0..<(hasReturn ? offset - 1 : offset)))
        return argumentCount == 0 ? .empty(byteCount: offset + 1) : .request(byteCount: offset + 1)
    }

    private mutating func split(_ line: RawSpan) throws(ProtocolError) {
        isInline = true
        if inlineBytes.capacity > Self.retainedInlineBytes { inlineBytes = [] }
        inlineBytes.removeAll(keepingCapacity: true)
        var words = InlineWords(line)
        while true {
            let start = inlineBytes.count
            guard try words.appendNext(to: &inlineBytes) else { break }
            guard parsedArguments < limits.arguments else { throw .invalidMultibulkLength }
            appendArgument(from: start, to: inlineBytes.count)
        }
        guard parsedArguments > 0 else { return }
        let name = CommandWord(inlineBytes.span.bytes.extracting(0..<Int(ranges[0].end)))
        if name == .post || name == .host { throw .crossProtocol }
        argumentCount = parsedArguments
    }
}

extension CommandWord {
    fileprivate static let post: CommandWord = "post"
    fileprivate static let host: CommandWord = "host:"
}
