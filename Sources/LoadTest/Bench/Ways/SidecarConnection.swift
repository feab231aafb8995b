import DequeModule

/// Asks pgsidecar.
final class SidecarConnection: AskConnection, RespLinkOwner {
    var inFlight = 0
    var freeSince: Int64 = 0
    var isListed = false

    private weak let owner: LoadLoop?
    private let server: ServerAddress
    private let shape: RequestShape
    /// Nil while there is no connection.
    private var link: RespLink?
    /// When the asks that have no answer yet were due, the oldest first.
    private var dues: Deque<Int64> = []

    /// Connects.
    init(_ server: ServerAddress, shape: RequestShape, owner: LoadLoop) throws(ConnectionError) {
        (self.server, self.shape, self.owner) = (server, shape, owner)
        link = try RespLink(server, on: owner.loop, input: owner.input, owner: self)
    }

    var unanswered: [Int64] { Array(dues) }

    func ask(_ count: Int, due: Int64?) {
        guard let owner else { return }
        guard let link else { return owner.fail(count, of: self, "there is no connection") }
        let asked = owner.appendRequests(count, shape, to: &link.output)
        dues.append(contentsOf: repeatElement(due ?? owner.dueNow, count: asked))
        link.flush()
        if asked < count { owner.becameFree(self, by: count - asked, at: owner.now) }
    }

    func reconnect() {
        guard link == nil, let owner else { return }
        link = try? RespLink(server, on: owner.loop, input: owner.input, owner: self)
    }

    func close() {
        link?.close()
        link = nil
    }

    func link(_ link: RespLink, received plain: Int, at now: Int64) {
        guard let owner else { return }
        guard plain <= dues.count else {
            return self.link(link, lost: ConnectionError("a reply came that nobody asked for"))
        }
        var rest = plain
        while rest > 0 {
            // Asks that were sent together were due together.
            let due = dues.removeFirst()
            var alike = 1
            while alike < rest, dues.first == due {
                dues.removeFirst()
                alike += 1
            }
            owner.answered(alike, due: due, at: now, missing: 0)
            rest -= alike
        }
        owner.becameFree(self, by: plain, at: now)
    }

    func link(_ link: RespLink, receivedWithout missing: [Int], at now: Int64) {
        guard let owner, let due = dues.popFirst() else { return }
        owner.answered(1, due: due, at: now, missing: missing.count)
        owner.becameFree(self, by: 1, at: now)
    }

    func link(_ link: RespLink, receivedError text: String, at now: Int64) {
        guard let owner, dues.popFirst() != nil else { return }
        owner.failed(1, text, at: now)
        owner.becameFree(self, by: 1, at: now)
    }

    func link(_ link: RespLink, lost reason: ConnectionError) {
        link.close()
        self.link = nil
        let lost = dues.count
        dues.removeAll()
        owner?.fail(lost, of: self, "\(reason)")
    }
}
