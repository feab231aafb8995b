package import EventLoop
import Groundwork

/// What the server answered to a question: its rows as texts, nil for NULL.
package typealias Answer = Result<[[String?]], SQLFailure>

/// What a ``QuestionConnection`` tells, on its loop's thread. Either call may close it.
package protocol QuestionConnectionOwner: AnyObject {
    /// A frame of COPY came, which holds for the call only.
    func connection(_ connection: QuestionConnection, received frame: RawSpan)
    /// It is lost, and closed; the reason is for the operator. Questions that had no answer get none.
    func connection(_ connection: QuestionConnection, lost reason: SQLFailure)
}

/// A database connection of one's own that is asked one question after the other, by the simple protocol, which is all that a
/// walsender takes; a replication command makes it a stream of frames. On its loop's thread only; no call blocks.
package final class QuestionConnection: EventSource {
    private struct Question {
        let sql: String
        let patience: Duration
        let completion: (Answer) -> Void
    }

    private enum State {
        /// Becomes asking.
        case idle
        /// An answer is due by the deadline. Becomes idle or streaming.
        case asking(Question, Answer?, Timer)
        /// Frames go both ways.
        case streaming
    }

    private let loop: EventLoop
    private weak let owner: (any QuestionConnectionOwner)?
    /// Nil from the moment it is lost or closed.
    private var link: PQConnection?
    private var watch: DescriptorWatch?
    private var state = State.idle
    private var queue: [Question] = []

    /// Frames that are taken in one go: others on this loop have their turn in between.
    private static let framesInARow = 1000

    /// The host that it leads to, or the folder of its socket.
    package let host: String
    /// The server's process.
    package let process: Int32

    init(_ link: consuming PQConnection, on loop: EventLoop, owner: any QuestionConnectionOwner) throws {
        guard link.stopBlocking() else { throw ConnectError(description: link.errorText) }
        self.loop = loop
        self.owner = owner
        (host, process) = (link.host, link.backendProcess)
        let descriptor = link.descriptor
        self.link = consume link
        watch = try DescriptorWatch(descriptor, on: loop, source: self)
    }

    /// Connects on a thread of its own and calls `completion` on `loop`. False when there is no thread; then it is not called.
    package static func connect(
        _ settings: DatabaseSettings, for purpose: ConnectionPurpose, on loop: EventLoop,
        owner: any QuestionConnectionOwner & Sendable,
        _ completion: @escaping @Sendable (Result<QuestionConnection, any Error>) -> Void
    ) -> Bool {
        loop.offload { () throws(ConnectError) in
            let more: [(name: String, value: String)] = purpose == .replication ? [("replication", "database")] : []
            return try PQConnection.connect(settings, for: purpose, more: more)
        } completion: { opened in
            do {
                completion(.success(try QuestionConnection(try opened.get(), on: loop, owner: owner)))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// Asks, after what was asked before. A server that does not answer within `patience` once it was asked is lost.
    package func ask(_ sql: String, within patience: Duration, _ completion: @escaping (Answer) -> Void) {
        guard link != nil else { return }
        queue.append(Question(sql: sql, patience: patience, completion: completion))
        askNext()
    }

    /// Sends a frame; only while it streams.
    package func send(frame: [UInt8]) {
        guard case .streaming = state, link != nil else { return }
        guard link?.sendFrame(frame) ?? false else { return lose(link?.errorText ?? "") }
        flush()
    }

    /// Closes it, and has the server drop what it runs for it. Its owner is told nothing more.
    package func close() {
        if case .asking(_, _, let timer) = state {
            loop.cancel(timer)
            // A slot that waits for others' transactions would be waited for to their end, and hold the log meanwhile.
            if let cancel = link?.makeCancel() {
                let parcel = Parcel(cancel)
                _ = startThread { parcel.take()?.send() }
            }
        }
        shut()
    }

    // MARK: Questions

    private func askNext() {
        guard case .idle = state, !queue.isEmpty, link != nil else { return }
        let question = queue.removeFirst()
        let timer = loop.schedule(at: loop.now + question.patience) { [weak self] in
            self?.lose("the server did not answer within \(question.patience)")
        }
        state = .asking(question, nil, timer)
        guard link?.sendCommand(question.sql) ?? false else { return lose(link?.errorText ?? "") }
        flush()
    }

    private func flush() {
        guard let flushed = link?.flush(), watch?.follow(flushed) == false else { return }
        lose(link?.errorText ?? "")
    }

    // MARK: Receiving

    package func ready(_ readiness: Readiness) {
        guard let input = link?.consumeInput() else { return }
        let hasMore = take()
        switch input {
        case .done: if hasMore { readAgain() }
        case .partly: readAgain()
        case .lost: if !hasMore { return lose(link?.errorText ?? "") } else { readAgain() }
        }
        if watch?.waitsForWriting == true { flush() }
    }

    /// What libpq or OpenSSL hold makes no descriptor readable.
    private func readAgain() {
        loop.enqueue { [weak self] in self?.ready(.readable) }
    }

    /// Takes what is complete; returns whether there may be more.
    private func take() -> Bool {
        while link != nil {
            switch state {
            case .idle: return false
            case .streaming: return takeFrames()
            case .asking:
                guard let isBusy = link?.isBusy, !isBusy else { return false }
                takeResult()
            }
        }
        return false
    }

    private func takeResult() {
        guard case .asking(let question, let answer, let timer) = state else { return }
        guard let result = link?.nextResult() else {
            loop.cancel(timer)
            state = .idle
            question.completion(answer ?? .failure(SQLFailure("the server had no answer", isLost: false)))
            return askNext()
        }
        if result.beginsStream {
            loop.cancel(timer)
            state = .streaming
            return question.completion(.success([]))
        }
        switch result.status {
        case .rows: state = .asking(question, .success(result.texts), timer)
        case .done: state = .asking(question, answer ?? .success([]), timer)
        case .error, .aborted, .sync:
            let error = result.error
            if error.endsSession || link?.isBroken ?? true { return lose(SQLFailure(error, isLost: true)) }
            state = .asking(question, .failure(SQLFailure(error, isLost: false)), timer)
        }
    }

    /// Looks at the connection anew each time: what a frame sets off may close it.
    private func takeFrames() -> Bool {
        for _ in 0..<Self.framesInARow {
            guard let found = link?.nextFrame() else { return false }
            switch consume found {
            case .frame(let frame): owner?.connection(self, received: frame.bytes)
            case .none: return false
            case .ended:
                guard let result = link?.nextResult() else { return false }
                let error = result.error
                lose(
                    error.message.isEmpty
                        ? SQLFailure("the server ended the stream", isLost: true) : SQLFailure(error, isLost: true))
                return false
            case .failed:
                lose(link?.errorText ?? "")
                return false
            }
        }
        return true
    }

    // MARK: The end

    private func lose(_ reason: String) {
        lose(SQLFailure(reason, isLost: true))
    }

    private func lose(_ reason: SQLFailure) {
        guard link != nil else { return }
        if case .asking(_, _, let timer) = state { loop.cancel(timer) }
        shut()
        owner?.connection(self, lost: reason)
    }

    private func shut() {
        watch?.end()
        watch = nil
        link = nil
        queue = []
        state = .idle
    }
}
