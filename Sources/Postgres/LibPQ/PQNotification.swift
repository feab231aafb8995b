import CLibPQ

/// Owns one notification that libpq handed out and frees it at its end.
struct PQNotification: ~Copyable {
    private let pointer: UnsafeMutablePointer<PGnotify>

    /// Takes over what libpq returned.
    init(takingOver pointer: UnsafeMutablePointer<PGnotify>) {
        self.pointer = pointer
    }

    deinit {
        PQfreemem(pointer)
    }

    /// The server process whose session said it, by the server's own word.
    var process: Int32 { pointer.pointee.be_pid }

    /// The channel's name.
    var channel: RawSpan {
        @_lifetime(borrow self) get { span(pointer.pointee.relname) }
    }

    /// What was said; empty when nothing was.
    var payload: RawSpan {
        @_lifetime(borrow self) get { span(pointer.pointee.extra) }
    }

    @_lifetime(borrow self)
    private func span(_ text: UnsafePointer<CChar>?) -> RawSpan {
        guard let text else { return RawSpan() }
        // libpq ends both with a zero byte; they belong to the notification, which the span cannot outlive.
        var length = 0
        while text[length] != 0 { length += 1 }
        return _overrideLifetime(RawSpan(_unsafeStart: text, byteCount: length), borrowing: self)
    }
}

extension PQConnection {
    /// Takes the next notification that was received, in any state of the connection; nil when there is none.
    func nextNotification() -> PQNotification? {
        guard let notification = PQnotifies(pointer) else { return nil }
        return PQNotification(takingOver: notification)
    }
}
