package import CacheCore
import DequeModule
package import EventLoop
import Groundwork

/// What a ``GetterConnection`` tells, on its loop's thread. Either call may close it.
package protocol GetterConnectionOwner: AnyObject {
    /// The oldest ask was answered.
    func connection(_ connection: GetterConnection, answered answer: consuming GetterConnection.Answer)
    /// It is lost, and closed. What was asked and not answered gets no answer.
    func connection(_ connection: GetterConnection, lost reason: String)
}

/// A database connection that runs a group's prepared query and nothing else: what an application without a sidecar has. On its
/// loop's thread only; no call blocks.
package final class GetterConnection: EventSource {
    /// What an ask brought.
    package struct Answer: Sendable {
        /// For each key the first column of its first row; nil where there is no row. Empty unless the query is rendered.
        package var values: [[UInt8]?] = []
        /// How many keys have no row.
        package var missing = 0
        /// Why there is no answer: what the server said, for the operator.
        package var failure: String?
    }

    private let loop: EventLoop
    private let query: GetterQuery
    private let keepsValues: Bool
    private weak var owner: (any GetterConnectionOwner)?
    /// Nil from the moment it is lost or closed.
    private var link: PQConnection?
    private var watch: DescriptorWatch?
    /// The answer of the oldest ask, as far as it has come.
    private var answer = Answer()
    private var asksUnderWay = 0

    private init(
        _ link: consuming PQConnection, _ query: GetterQuery, keepsValues: Bool, on loop: EventLoop,
        owner: any GetterConnectionOwner
    ) throws {
        self.loop = loop
        self.query = query
        self.keepsValues = keepsValues
        self.owner = owner
        let descriptor = link.descriptor
        self.link = consume link
        watch = try DescriptorWatch(descriptor, on: loop, source: self)
    }

    /// Connects and prepares the query on a thread of its own, and calls `completion` on `loop`. False when there is no
    /// thread; then it is not called.
    ///
    /// - Parameter keepsValues: Whether answers have the values.
    package static func connect(
        _ settings: DatabaseSettings, _ query: GetterQuery, keepsValues: Bool, on loop: EventLoop,
        owner: any GetterConnectionOwner & Sendable,
        _ completion: @escaping @Sendable (Result<GetterConnection, any Error>) -> Void
    ) -> Bool {
        loop.offload { () throws(ConnectError) in
            try prepared(settings, query)
        } completion: { opened in
            do {
                let link = try opened.get()
                completion(
                    .success(try GetterConnection(link, query, keepsValues: keepsValues, on: loop, owner: owner)))
            } catch {
                completion(.failure(error))
            }
        }
    }

    /// Blocks.
    private static func prepared(
        _ settings: DatabaseSettings, _ query: GetterQuery
    ) throws(ConnectError) -> PQConnection {
        let link = try PQConnection.connect(settings, for: .sql)
        guard link.startPipelining(), link.sendPrepare(query.name, query.sql) else {
            throw ConnectError(description: link.errorText)
        }
        try link.receive(within: settings.firstAnswersTimeout) { result throws(ConnectError) in
            if case .error = result.status { throw ConnectError(description: result.error.message) }
        }
        return link
    }

    /// Asks for keys, as one transaction of a query each, behind what was asked before.
    package func ask(_ keys: [Key]) {
        guard link != nil else { return }
        asksUnderWay += 1
        for key in keys {
            guard let parts = try? KeyParts(of: key, count: query.keyParts) else {
                return lose("a key has not the \(query.keyParts) parts that the query takes")
            }
            guard link?.sendExecute(query.name, parts) ?? false else { return lose(link?.errorText ?? "") }
        }
        guard link?.sendSync() ?? false else { return lose(link?.errorText ?? "") }
        flush()
    }

    /// Closes it. Its owner is told nothing more.
    package func close() {
        watch?.end()
        watch = nil
        link = nil
    }

    package func ready(_ readiness: Readiness) {
        guard let input = link?.consumeInput() else { return }
        take()
        switch input {
        case .done: break
        case .partly: loop.enqueue { [weak self] in self?.ready(.readable) }
        case .lost: lose(link?.errorText ?? "")
        }
        if watch?.waitsForWriting == true { flush() }
    }

    private func flush() {
        guard let flushed = link?.flush(), watch?.follow(flushed) == false else { return }
        lose(link?.errorText ?? "")
    }

    /// Takes the results that are there. One nil ends each command's results; two in a row mean that libpq has lost count.
    private func take() {
        var wasEnd = false
        while asksUnderWay > 0, let isBusy = link?.isBusy, !isBusy {
            guard let result = link?.nextResult() else {
                guard !wasEnd else { return lose(ConnectError.lostCount.description) }
                wasEnd = true
                continue
            }
            wasEnd = false
            switch result.status {
            case .rows: note(result)
            case .done: break
            case .aborted: break
            case .error:
                if link?.isBroken ?? true { return lose(link?.errorText ?? "") }
                let error = result.error
                if error.endsSession { return lose(error.message) }
                answer.failure = answer.failure ?? error.message
            case .sync:
                asksUnderWay -= 1
                let whole = answer
                answer = Answer()
                owner?.connection(self, answered: whole)
            }
        }
    }

    private func note(_ result: borrowing PQResult) {
        let hasValue = result.rowCount > 0 && !(query.isValue && result.isNull(row: 0, column: 0))
        if !hasValue { answer.missing += 1 }
        guard keepsValues else { return }
        answer.values.append(hasValue ? [UInt8](copying: result.field(row: 0, column: 0)) : nil)
    }

    private func lose(_ reason: String) {
        guard link != nil else { return }
        close()
        owner?.connection(self, lost: reason)
    }
}
