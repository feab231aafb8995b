/// The bounds of one request. Beyond any of them the request is a `ProtocolError`.
public struct RequestLimits: Sendable, Equatable {
    /// The bytes of one request with all its framing.
    public var requestBytes: Int
    /// The arguments of one request, the command's name included.
    public var arguments: Int
    /// The bytes of one inline request with its line end.
    public var inlineBytes: Int

    /// Limits that fit many keys in one request and no more.
    /// Values beyond 2 GiB and below 1 are brought inside: offsets into a request are kept in 32 bits.
    public init(requestBytes: Int = 1 << 20, arguments: Int = 1 << 16, inlineBytes: Int = 64 << 10) {
        self.requestBytes = min(max(requestBytes, 1), Int(Int32.max))
        self.arguments = min(max(arguments, 1), Int(Int32.max))
        self.inlineBytes = min(max(inlineBytes, 1), Int(Int32.max))
    }
}
