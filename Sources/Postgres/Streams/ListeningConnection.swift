package import EventLoop
import Groundwork

/// What a ``ListeningConnection`` tells, on its loop's thread. None of these calls is made while the connection is in use, so
/// each may close it.
package protocol ListeningConnectionOwner: AnyObject {
    /// What another session said has arrived, and the channel is listened to: this connection hears what is said there.
    func connectionIsProven()
    /// Something came from the server: the connection is alive.
    func connectionIsAlive()
    /// Somebody notified the channel. Anybody may.
    func connectionHeard(_ payload: RawSpan)
    /// What was said to itself came back: whatever was notified by transactions that committed at or before `position` was
    /// handed over before this.
    func connectionEchoed(_ position: LogPosition)
    /// It is lost, and closed; the reason is for the operator.
    func connectionLost(_ reason: String)
}

/// A database connection that listens to one channel. On its loop's thread only; no call blocks.
package final class ListeningConnection: EventSource {
    /// What became of the last message to itself.
    private enum Echo {
        /// None is under way. Becomes sent.
        case idle
        /// It was sent. Becomes answered.
        case sent
        /// The server has taken it, in a transaction that committed after the log had come up to `position`. Becomes heard.
        case answered(position: LogPosition)
        /// It came back. Becomes idle with the end of the server's answer.
        case heard(position: LogPosition)
    }

    /// Whether it hears what is said.
    private enum Subscription {
        /// Nobody knows. Becomes proven.
        case unproven
        /// It does, and is not subscribed yet. Becomes subscribing.
        case proven
        /// Becomes subscribed.
        case subscribing
        case subscribed
    }

    private let loop: EventLoop
    private let channel: String
    private weak let owner: (any ListeningConnectionOwner)?
    private let process: Int32
    private let ownChannel: [UInt8]
    let ownName: String
    private let proof: [UInt8]
    /// Nil from the moment it is lost or closed.
    private var link: PQConnection?
    private var watch: DescriptorWatch?
    private var subscription = Subscription.unproven
    private var echo = Echo.idle
    /// Numbers the messages to itself.
    private var echoCount: UInt64 = 0
    /// Whether an answer has not come to its end.
    private var isExpecting = false

    /// Takes over a fresh connection. Throws when it broke meanwhile or cannot be watched.
    init(
        _ session: consuming ListeningSession, to channel: String, on loop: EventLoop,
        owner: any ListeningConnectionOwner
    ) throws {
        self.loop = loop
        self.channel = channel
        self.owner = owner
        process = session.process
        ownName = session.ownChannel
        ownChannel = Array(session.ownChannel.utf8)
        proof = Array(session.proof.utf8)
        guard !session.link.isBroken else { throw ConnectError(description: session.link.errorText) }
        let descriptor = session.link.descriptor
        link = session.takeLink()
        watch = try DescriptorWatch(descriptor, on: loop, source: self)
        // What came before the loop watched is in libpq's buffer already, and makes no descriptor readable.
        loop.enqueue { [weak self] in self?.ready(.readable) }
    }

    /// Whether a message to itself is under way; only one is at a time.
    package var awaitsEcho: Bool {
        switch echo {
        case .idle: false
        case .sent, .answered, .heard: true
        }
    }

    /// Says something to itself, unless ``awaitsEcho``. PostgreSQL delivers what is notified in the order of commits, so when it
    /// comes back all that was committed before has come.
    package func sendEcho() {
        guard link != nil, !awaitsEcho, !isExpecting else { return }
        echoCount += 1
        echo = .sent
        // The position is read before the transaction commits, which is when the message takes its place in the queue: those
        // that committed up to there stand in front of it.
        send("select pg_catalog.pg_current_wal_insert_lsn(), \(ListeningSession.notify)", ownName, String(echoCount))
    }

    private func send(_ sql: String, _ parameters: String...) {
        isExpecting = true
        guard link?.sendQuery(sql, TextParameters(parameters)) ?? false, link?.sendSync() ?? false else {
            return lose(link?.errorText ?? "")
        }
        flush()
    }

    /// Listens to the channel, when nothing else is asked.
    private func subscribe() {
        guard case .proven = subscription, !isExpecting else { return }
        subscription = .subscribing
        send("listen \(SQLName.quoted(channel))")
    }

    private func flush() {
        guard let flushed = link?.flush(), watch?.follow(flushed) == false else { return }
        lose(link?.errorText ?? "")
    }

    // MARK: Receiving

    /// Reads what the kernel has, which is some ten KiB at once, and takes all that is complete.
    package func ready(_ readiness: Readiness) {
        guard let input = link?.consumeInput() else { return }
        takeResults()
        takeNotifications()
        endEcho()
        subscribe()
        switch input {
        case .done: owner?.connectionIsAlive()
        case .partly:
            owner?.connectionIsAlive()
            loop.enqueue { [weak self] in self?.ready(.readable) }
        case .lost: return lose(link?.errorText ?? "")
        }
        if watch?.waitsForWriting == true { flush() }
    }

    private func takeResults() {
        var endsInARow = 0
        while isExpecting, let isBusy = link?.isBusy, !isBusy {
            guard let result = link?.nextResult() else {
                endsInARow += 1
                if endsInARow == 2 { return lose(ConnectError.lostCount.description) }
                continue
            }
            endsInARow = 0
            switch result.status {
            case .rows: echo = .answered(position: LogPosition(result.text(row: 0, column: 0)) ?? .none)
            case .sync: endAnswer()
            case .error: return lose(result.error.message)
            case .done, .aborted: break
            }
        }
    }

    /// Looks at the connection anew each time: what a notification sets off may close it.
    private func takeNotifications() {
        while let notification = link?.nextNotification() {
            if !isOwn(notification.channel) {
                owner?.connectionHeard(notification.payload)
            } else if notification.payload.isEqual(to: proof) {
                noteProof()
            } else if notification.process == process, notification.payload.isEqual(to: Array(String(echoCount).utf8)) {
                takeEcho()
            }
        }
    }

    private func endAnswer() {
        isExpecting = false
        guard case .subscribing = subscription else { return }
        subscription = .subscribed
        owner?.connectionIsProven()
    }

    private func noteProof() {
        guard case .unproven = subscription else { return }
        subscription = .proven
    }

    private func isOwn(_ channel: RawSpan) -> Bool { channel.isEqual(to: ownChannel) }

    /// The answer stands before the message in what the server sends.
    private func takeEcho() {
        guard case .answered(let position) = echo else { return }
        echo = .heard(position: position)
    }

    private func endEcho() {
        guard case .heard(let position) = echo, !isExpecting else { return }
        echo = .idle
        owner?.connectionEchoed(position)
    }

    // MARK: The end

    private func lose(_ reason: String) {
        guard link != nil else { return }
        close()
        owner?.connectionLost(reason)
    }

    /// Closes it. Its owner is told nothing more.
    package func close() {
        watch?.end()
        watch = nil
        link = nil
    }
}

extension ListeningConnection {
    /// Connects on a thread of its own, subscribes, and calls `completion` on `loop`. False when there is no thread; then it is
    /// not called.
    ///
    /// - Parameters:
    ///   - loads: Where loads go.
    ///   - channel: As the catalog would have it: no quotes, nothing folded.
    package static func connect(
        _ settings: DatabaseSettings, loads: DatabaseSettings, channel: String, on loop: EventLoop,
        owner: any ListeningConnectionOwner & Sendable,
        _ completion: @escaping @Sendable (Result<ListeningConnection, any Error>) -> Void
    ) -> Bool {
        loop.offload { () throws(ConnectError) in
            try ListeningSession.open(settings, loads: loads)
        } completion: { opened in
            do {
                let session = try opened.get()
                completion(.success(try ListeningConnection(session, to: channel, on: loop, owner: owner)))
            } catch {
                completion(.failure(error))
            }
        }
    }
}

extension RawSpan {
    fileprivate func isEqual(to bytes: [UInt8]) -> Bool {
        byteCount == bytes.count && withUnsafeBytes { $0.elementsEqual(bytes) }
    }
}
