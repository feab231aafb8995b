import DequeModule
import EventLoop
import Postgres

/// Asks the database, a query for each key.
///
/// Unchecked: it is touched on its loop's thread only; connecting hands it through another one.
final class DatabaseConnection: AskConnection, GetterConnectionOwner, @unchecked Sendable {
    var inFlight = 0
    var freeSince: Int64 = 0
    var isListed = false

    private unowned let owner: LoadLoop
    private let database: DatabaseSettings
    private let query: GetterQuery
    private let width: Int
    /// Nil while there is no connection.
    private var link: GetterConnection?
    private var dues: Deque<Int64> = []
    private var isConnecting = false
    private var isClosed = false

    /// Connects; `completion` is told when that is done, with the reason when it could not.
    init(
        _ database: DatabaseSettings, _ query: GetterQuery, width: Int, owner: LoadLoop,
        completion: @escaping @Sendable ((any Error)?) -> Void
    ) {
        (self.database, self.query, self.width, self.owner) = (database, query, width, owner)
        connect(completion)
    }

    private func connect(_ completion: @escaping @Sendable ((any Error)?) -> Void) {
        guard !isConnecting else { return }
        isConnecting = true
        let hasThread = GetterConnection.connect(database, query, keepsValues: false, on: owner.loop, owner: self) {
            [weak self] opened in
            guard let self, !isClosed else { return }
            isConnecting = false
            do {
                link = try opened.get()
                completion(nil)
            } catch {
                completion(error)
            }
        }
        guard !hasThread else { return }
        isConnecting = false
        completion(BenchError.noThread)
    }

    var unanswered: [Int64] { Array(dues) }

    func ask(_ count: Int, due: Int64) {
        guard let link else { return fail(count, "there is no connection to the database") }
        var asked = 0
        while asked < count, let keys = owner.drawKeys() {
            asked += 1
            dues.append(due)
            link.ask(keys.map { owner.keys.key($0) })
        }
        if asked < count { owner.becameFree(self, by: count - asked, at: due) }
    }

    func close() {
        isClosed = true
        link?.close()
        link = nil
    }

    func connection(_ connection: GetterConnection, answered answer: consuming GetterConnection.Answer) {
        guard let due = dues.popFirst() else { return }
        let now = owner.now
        if let failure = answer.failure {
            owner.failed(1, failure, at: now)
        } else {
            owner.answered(1, due: due, at: now, missing: answer.missing)
        }
        owner.becameFree(self, by: 1, at: now)
    }

    func connection(_ connection: GetterConnection, lost reason: String) {
        link = nil
        let lost = dues.count
        dues.removeAll()
        fail(lost, reason)
    }

    /// These asks fail; after a pause others may be tried, and a connection if there is none.
    private func fail(_ count: Int, _ reason: String) {
        owner.failed(count, reason, at: owner.now)
        owner.after(milliseconds: 20) { [weak self] in
            guard let self, !isClosed else { return }
            if link == nil { connect { _ in } }
            owner.becameFree(self, by: count, at: owner.now)
        }
    }
}
