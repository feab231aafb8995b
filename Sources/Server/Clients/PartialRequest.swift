import RESP

/// Bytes of a client that wait for more, with the parser that has seen their beginning.
struct PartialRequest: ~Copyable {
    var bytes = OutputBuffer()
    var parser: RequestParser
}
