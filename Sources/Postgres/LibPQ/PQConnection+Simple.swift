import CLibPQ

/// The simple protocol, which is all that a walsender takes, and the frames of COPY in both directions.
extension PQConnection {
    /// From here on nothing blocks.
    func stopBlocking() -> Bool { PQsetnonblocking(pointer, 1) == 0 }

    /// Queues a command as it stands.
    func sendCommand(_ command: String) -> Bool { PQsendQuery(pointer, command) == 1 }

    /// What ``nextFrame()`` found.
    enum NextFrame: ~Copyable {
        case frame(PQFrame)
        /// No whole one is there.
        case none
        /// The server ended the stream; what follows is a result.
        case ended
        case failed
    }

    /// Takes the next frame of COPY.
    func nextFrame() -> NextFrame {
        var start: UnsafeMutablePointer<CChar>?
        let count = PQgetCopyData(pointer, &start, 1)
        guard count > 0, let start else {
            return count == 0 ? .none : count == -1 ? .ended : .failed
        }
        return .frame(PQFrame(takingOver: start, count: Int(count)))
    }

    /// Queues a frame.
    func sendFrame(_ bytes: [UInt8]) -> Bool {
        bytes.withUnsafeBytes {
            PQputCopyData(pointer, $0.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(clamping: $0.count)) == 1
        }
    }
}

/// Owns a frame that libpq handed out, and frees it at its end.
struct PQFrame: ~Copyable {
    private let start: UnsafeMutablePointer<CChar>
    private let count: Int

    /// Takes over what libpq returned.
    init(takingOver start: UnsafeMutablePointer<CChar>, count: Int) {
        self.start = start
        self.count = count
    }

    deinit {
        PQfreemem(start)
    }

    var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            // The memory is freed by this frame, which the span cannot outlive.
            _overrideLifetime(RawSpan(_unsafeStart: start, byteCount: count), borrowing: self)
        }
    }
}
