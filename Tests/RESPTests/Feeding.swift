import RESP
import TestSupport

/// What a connection's bytes were parsed to: everything that a server could tell.
struct Heard<Message: Equatable, Failure: Equatable>: Equatable {
    var messages: [Message] = []
    var failure: Failure?
    /// Bytes behind the last whole message; not counted after a failure, which can come before all bytes have.
    var unparsed = 0
}

typealias HeardRequests = Heard<[[UInt8]], ProtocolError>
typealias HeardReplies = Heard<Reply, ReplyError>

extension RawSpan {
    var array: [UInt8] { withUnsafeBytes { Array($0) } }
}

func arguments(of request: borrowing Request) -> [[UInt8]] {
    var arguments: [[UInt8]] = []
    for index in 0..<request.count { arguments.append(request[index].array) }
    return arguments
}

/// Pieces of `bytes`, cut in front of each offset of `cuts`, which ascend.
func pieces(_ bytes: [UInt8], cuts: some Sequence<Int>) -> [[UInt8]] {
    var result: [[UInt8]] = []
    var start = 0
    for cut in cuts {
        result.append(Array(bytes[start..<cut]))
        start = cut
    }
    result.append(Array(bytes[start...]))
    return result
}

/// Feeds the pieces as a server does: appends each, parses what is whole, drops that.
/// An empty request is heard as one without arguments.
func hearRequests(_ pieces: [[UInt8]], limits: RequestLimits = RequestLimits()) -> HeardRequests {
    var parser = RequestParser(limits: limits)
    var input = OutputBuffer()
    var heard = HeardRequests()
    for piece in pieces {
        input.append(piece.span.bytes)
        do {
            var parsing = true
            while parsing {
                switch try parser.parse(input.bytes) {
                case .request(let byteCount):
                    heard.messages.append(arguments(of: parser.request(in: input.bytes)))
                    input.consume(byteCount)
                case .empty(let byteCount):
                    heard.messages.append([])
                    input.consume(byteCount)
                case .incomplete:
                    parsing = false
                }
            }
        } catch {
            heard.failure = error
            return heard
        }
    }
    heard.unparsed = input.byteCount
    return heard
}

/// The same for replies.
func hearReplies(_ pieces: [[UInt8]], limits: ReplyLimits = ReplyLimits()) -> HeardReplies {
    var parser = ReplyParser(limits: limits)
    var input = OutputBuffer()
    var heard = HeardReplies()
    for piece in pieces {
        input.append(piece.span.bytes)
        do {
            while case .reply(let reply, let byteCount) = try parser.parse(input.bytes) {
                heard.messages.append(reply)
                input.consume(byteCount)
            }
        } catch {
            heard.failure = error
            return heard
        }
    }
    heard.unparsed = input.byteCount
    return heard
}

func hearRequests(_ text: String, limits: RequestLimits = RequestLimits()) -> HeardRequests {
    hearRequests([Array(text.utf8)], limits: limits)
}

func hearReplies(_ text: String, limits: ReplyLimits = ReplyLimits()) -> HeardReplies {
    hearReplies([Array(text.utf8)], limits: limits)
}

func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

/// A request as a client sends it.
func encoded(_ arguments: [[UInt8]]) -> [UInt8] {
    var bytes = Array("*\(arguments.count)\r\n".utf8)
    for argument in arguments {
        bytes += Array("$\(argument.count)\r\n".utf8) + argument + Array("\r\n".utf8)
    }
    return bytes
}
