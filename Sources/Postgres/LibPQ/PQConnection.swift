import CLibPQ

/// Owns one libpq connection and closes it at its end. Every call here returns at once when ``startPipelining()`` was
/// called before.
///
/// This and ``PQResult`` are where libpq's pointers stay. They hold because a `PQConnection` cannot be copied, so it is
/// closed once and never used after that, and because no pointer that libpq hands out leaves the call it was asked in.
struct PQConnection: ~Copyable, @unchecked Sendable {
    // Unchecked: libpq lets any thread use a connection, one at a time. Whoever holds this is the only one.
    let pointer: OpaquePointer

    /// Takes over what libpq returned.
    init(takingOver pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfinish(pointer)
    }

    /// The descriptor to wait on; stays the same for as long as the connection is not broken.
    var descriptor: Int32 { PQsocket(pointer) }

    /// Whether the connection is lost.
    var isBroken: Bool { PQstatus(pointer) != CONNECTION_OK }

    /// The host that it leads to, or the folder of its socket; for logs.
    var host: String { PQhost(pointer).map { String(cString: $0) } ?? "" }

    /// The server process' id, for logs.
    var backendProcess: Int32 { PQbackendPID(pointer) }

    /// The server's version as libpq counts it, for example 150018.
    var serverVersion: Int { Int(PQserverVersion(pointer)) }

    /// libpq's text for what went wrong last. May hold values and SQL: for logs and the operator only.
    var errorText: String {
        guard let text = PQerrorMessage(pointer) else { return "" }
        return String(cString: text).trimmingLineEnds()
    }

    // MARK: Sending

    /// From here on nothing blocks, and queries are sent without waiting for the answers to those before.
    func startPipelining() -> Bool {
        PQsetnonblocking(pointer, 1) == 0 && PQenterPipelineMode(pointer) == 1
    }

    /// Queues a Parse. The types of the parameters are left to the server, which infers the same ones each time.
    func sendPrepare(_ name: String, _ sql: String) -> Bool {
        PQsendPrepare(pointer, name, sql, 0, nil) == 1
    }

    /// Queues a Describe of a prepared statement.
    func sendDescribe(_ name: String) -> Bool {
        PQsendDescribePrepared(pointer, name) == 1
    }

    /// Queues the execution of a prepared statement with its parameters, as text.
    func sendExecute(_ name: String, _ parameters: some QueryParameters) -> Bool {
        parameters.withParameters { PQsendQueryPrepared(pointer, name, $0, $1, nil, nil, 0) == 1 }
    }

    /// Queues Parse, Bind and Execute of a statement without a name.
    func sendQuery(_ sql: String, _ parameters: some QueryParameters) -> Bool {
        parameters.withParameters { PQsendQueryParams(pointer, sql, $0, nil, $1, nil, nil, 0) == 1 }
    }

    /// Queues the server's order to send what it has answered so far: by itself it does so only at a sync.
    func sendFlushRequest() -> Bool {
        PQsendFlushRequest(pointer) == 1
    }

    /// Ends a segment and sends what is queued, as far as the kernel takes it.
    ///
    /// Up to the next one everything is one transaction, and an error aborts the rest of it.
    func sendSync() -> Bool {
        PQpipelineSync(pointer) == 1
    }

    /// How far ``flush()`` came.
    enum Flush {
        case done, partly, failed
    }

    /// Hands what is queued to the kernel. After `.partly` wait for either readiness: a server that waits for its
    /// answers to be read does not read.
    func flush() -> Flush {
        let left = PQflush(pointer)
        return left == 0 ? .done : left > 0 ? .partly : .failed
    }

    // MARK: Receiving

    /// Whether ``nextResult()`` would have to wait.
    var isBusy: Bool { PQisBusy(pointer) == 1 }

    /// Takes the next result; nil marks the end of one command's results. Blocks when ``isBusy``.
    func nextResult() -> PQResult? {
        guard let result = PQgetResult(pointer) else { return nil }
        return PQResult(takingOver: result)
    }

    /// What ``PQCancel/send()`` needs to cancel the running query later, from another thread.
    func makeCancel() -> PQCancel? {
        guard let cancel = PQgetCancel(pointer) else { return nil }
        return PQCancel(takingOver: cancel)
    }
}

/// Owns a copy of what a cancel request needs; independent of its connection.
struct PQCancel: ~Copyable, @unchecked Sendable {
    // Unchecked: libpq documents PQcancel as safe on any thread, and nobody else has this pointer.
    private let pointer: OpaquePointer

    init(takingOver pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQfreeCancel(pointer)
    }

    /// Opens a connection of its own, asks the server to cancel, and waits until that is closed. Blocks.
    func send() {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { text in
            _ = PQcancel(pointer, text.baseAddress, Int32(text.count))
        }
    }
}

extension String {
    /// Without the line end that libpq puts behind its texts.
    func trimmingLineEnds() -> String {
        var rest = self[...]
        while rest.last?.isNewline == true { rest.removeLast() }
        return String(rest)
    }
}
