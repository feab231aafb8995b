import CacheCore
import RESP

/// What the clients of one loop use in turn, so that an idle connection holds no buffer. Confined to its loop.
final class SharedBuffers {
    /// Where recv(2) writes when a client's last request was complete.
    let input = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
    /// Where a value's fields are copied to be read.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: Group.copyLimit, alignment: 16)
    /// What keys of the request that is executed were rewritten to.
    let rewritten = RewrittenKeys()
    /// Parses what is in `input`. Between events it is at the beginning of a request.
    var parser: RequestParser
    /// Where commands write. Empty between events.
    var reply = ReplyBuffer()

    /// The bounds of a request.
    let limits: RequestLimits

    init(limits: RequestLimits) {
        self.limits = limits
        parser = RequestParser(limits: limits)
    }

    deinit {
        input.deallocate()
        scratch.deallocate()
    }

    /// Gives the parser away, with what it has seen of a request, and takes a new one.
    func takeParser() -> RequestParser {
        var taken = RequestParser(limits: limits)
        swap(&taken, &parser)
        return taken
    }
}
