import CacheCore
import DequeModule
import Postgres

/// Asks the database, a query for each key.
final class DatabaseConnection: AskConnection, GetterConnectionOwner {
    var inFlight = 0
    var freeSince: Int64 = 0
    var isListed = false

    private weak let owner: LoadLoop?
    private let link: DatabaseLink
    private var dues: Deque<Int64> = []

    /// Connects; `completion` is told when that is done, with the reason when it could not.
    init(
        _ database: DatabaseSettings, _ query: GetterQuery, owner: LoadLoop,
        completion: @escaping @Sendable ((any Error)?) -> Void
    ) {
        self.owner = owner
        link = DatabaseLink(database, query, keepsValues: false, on: owner.loop)
        link.owner = self
        link.connect(completion)
    }

    var unanswered: [Int64] { Array(dues) }

    func ask(_ count: Int, due: Int64?) {
        guard let owner else { return }
        guard link.isConnected else {
            return owner.fail(count, of: self, "there is no connection to the database")
        }
        var asked = 0
        while asked < count, link.isConnected, let keys = owner.drawKeys() {
            asked += 1
            let key = keys.map { owner.keys.key($0) }
            dues.append(due ?? owner.dueNow)
            link.ask(key)
        }
        if asked < count { owner.becameFree(self, by: count - asked, at: owner.now) }
    }

    func reconnect() { link.connect() }

    func close() { link.close() }

    func connection(_ connection: GetterConnection, answered answer: consuming GetterConnection.Answer) {
        guard let owner, let due = dues.popFirst() else { return }
        let now = owner.now
        if let failure = answer.failure {
            owner.failed(1, failure, at: now)
        } else {
            owner.answered(1, due: due, at: now, missing: answer.missing)
        }
        owner.becameFree(self, by: 1, at: now)
    }

    func connection(_ connection: GetterConnection, lost reason: String) {
        let lost = dues.count
        dues.removeAll()
        owner?.fail(lost, of: self, reason)
    }
}
