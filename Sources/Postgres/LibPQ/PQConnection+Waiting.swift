import Glibc
import Groundwork

/// For threads that may block, each answer having a time limit.
extension PQConnection {
    /// Asks for one value; empty when there is not one row. From here on the connection is in pipeline mode.
    func ask(_ sql: String, _ parameters: some QueryParameters = KeyParts.none, within timeout: Duration)
        throws(ConnectError) -> String
    {
        guard startPipelining(), sendQuery(sql, parameters) else { throw ConnectError(description: errorText) }
        var answer = ""
        try receive(within: timeout) { result throws(ConnectError) in
            switch result.status {
            case .rows: answer = result.rowCount == 1 ? result.text(row: 0, column: 0) : ""
            case .error: throw ConnectError(description: result.error.message)
            case .done, .aborted, .sync: break
            }
        }
        return answer
    }

    /// Ends what was sent in pipeline mode, and hands each result to `body`, up to the sync.
    ///
    /// - Parameter silence: What is said of a server that has not answered when `timeout` is over.
    func receive(
        within timeout: Duration, silence: String = "the server took the connection and does not answer",
        _ body: (borrowing PQResult) throws(ConnectError) -> Void
    ) throws(ConnectError) {
        guard sendSync() else { throw ConnectError(description: errorText) }
        let deadline = Instant.now() + timeout
        var endsInARow = 0
        while true {
            try waitForResult(until: deadline, silence: silence)
            guard let result = nextResult() else {
                if isBroken { throw ConnectError(description: errorText) }
                endsInARow += 1
                if endsInARow == 2 { throw .lostCount }
                continue
            }
            endsInARow = 0
            if case .sync = result.status { return }
            try body(result)
        }
    }

    private func waitForResult(until deadline: Instant, silence: String) throws(ConnectError) {
        while isBusy {
            let isSent = flush() == .done
            let left = (deadline - Instant.now()).wholeNanoseconds / 1_000_000
            guard left > 0 else { throw ConnectError(description: silence) }
            var wait = pollfd(fd: descriptor, events: Int16(isSent ? POLLIN : POLLIN | POLLOUT), revents: 0)
            _ = poll(&wait, 1, Int32(clamping: left))
            guard wait.revents == 0 || consumeInput() != .lost else { throw ConnectError(description: errorText) }
        }
    }
}
