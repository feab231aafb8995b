// Compiled together with Sources/RESP and the parser of replies by run.sh, not by the package: libFuzzer brings its own main.

/// What a parser made of some bytes: how many messages, a digest of them, where it stopped and why.
struct Outcome: Equatable {
    var messages = 0
    var digest = Hasher()
    var failure: String?
    var unparsed = 0

    static func == (one: Outcome, other: Outcome) -> Bool {
        one.messages == other.messages && one.digest.finalize() == other.digest.finalize()
            && one.failure == other.failure && one.unparsed == other.unparsed
    }
}

/// Small limits, so that the fuzzer reaches them.
let requestLimits = RequestLimits(requestBytes: 256, arguments: 16, inlineBytes: 64)
let replyLimits = ReplyLimits(replyBytes: 256, depth: 4)

/// Feeds the bytes before `cut`, then the rest, as a server receives them.
func hearRequests(_ bytes: RawSpan, cut: Int) -> Outcome {
    var parser = RequestParser(limits: requestLimits)
    var outcome = Outcome()
    var start = 0
    for end in [cut, bytes.byteCount] {
        do {
            parsing: while true {
                let rest = bytes.extracting(start..<end)
                switch try parser.parse(rest) {
                case .request(let byteCount):
                    if let get = PlainGet(bytes, at: start) {
                        let request = parser.request(in: rest)
                        check(get.end - start == byteCount && request.count == 2, "a plain GET that is something else")
                        check(request[1].byteCount == get.keyLength, "a plain GET of another key")
                    }
                    digest(parser.request(in: rest), into: &outcome)
                    start += byteCount
                case .empty(let byteCount):
                    start += byteCount
                case .incomplete(let needed):
                    check(needed > rest.byteCount && needed <= requestLimits.requestBytes, "a hint that says nothing")
                    break parsing
                }
            }
        } catch {
            outcome.failure = error.message
            return outcome
        }
    }
    outcome.unparsed = bytes.byteCount - start
    return outcome
}

func digest(_ request: borrowing Request, into outcome: inout Outcome) {
    check(request.count > 0, "a request without a name")
    outcome.messages += 1
    outcome.digest.combine(request.word(at: 0))
    for index in 0..<request.count {
        outcome.digest.combine(request.integer(at: index))
        request[index].withUnsafeBytes { outcome.digest.combine(bytes: $0) }
        outcome.digest.combine(request[index].byteCount)
    }
}

func hearReplies(_ bytes: RawSpan, cut: Int) -> Outcome {
    var parser = ReplyParser(limits: replyLimits)
    var outcome = Outcome()
    var start = 0
    for end in [cut, bytes.byteCount] {
        do {
            parsing: while true {
                let rest = bytes.extracting(start..<end)
                switch try parser.parse(rest) {
                case .reply(let reply, let byteCount):
                    outcome.messages += 1
                    outcome.digest.combine(String(describing: reply))
                    start += byteCount
                case .incomplete(let needed):
                    check(needed > rest.byteCount && needed <= replyLimits.replyBytes, "a hint that says nothing")
                    break parsing
                }
            }
        } catch {
            outcome.failure = String(describing: error)
            return outcome
        }
    }
    outcome.unparsed = bytes.byteCount - start
    return outcome
}

/// Whatever the text of an error, a client reads one error.
func checkError(_ bytes: RawSpan) {
    var output = OutputBuffer()
    output.appendError(bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) })
    var parser = ReplyParser()
    guard case .reply(.error, output.byteCount)? = try? parser.parse(output.bytes) else {
        fatalError("an error that isn't one reply")
    }
}

func check(_ holds: Bool, _ otherwise: String) {
    if !holds { fatalError(otherwise) }
}

/// The first byte says where the others are cut.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    let bytes = UnsafeRawBufferPointer(start: start + 1, count: count - 1).bytes
    let cut = Int(start.pointee) % count
    check(hearRequests(bytes, cut: cut) == hearRequests(bytes, cut: 0), "requests depend on the cut")
    check(hearReplies(bytes, cut: cut) == hearReplies(bytes, cut: 0), "replies depend on the cut")
    checkError(bytes)
    return 0
}
