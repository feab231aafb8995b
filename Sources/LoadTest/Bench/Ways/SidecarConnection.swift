import DequeModule

/// Asks pgsidecar.
final class SidecarConnection: AskConnection, RespLinkOwner {
    var inFlight = 0
    var freeSince: Int64 = 0
    var isListed = false

    private unowned let owner: LoadLoop
    private let path: String
    private let shape: RequestShape
    /// Nil while there is no connection.
    private var link: RespLink?
    /// When the asks that have no answer yet were due, the oldest first.
    private var dues: Deque<Int64> = []
    private var isClosed = false

    /// Connects to the socket at `path`.
    init(_ path: String, shape: RequestShape, owner: LoadLoop) throws(ConnectionError) {
        (self.path, self.shape, self.owner) = (path, shape, owner)
        link = try RespLink(path, on: owner.loop, input: owner.input, owner: self)
    }

    var unanswered: [Int64] { Array(dues) }

    func ask(_ count: Int, due: Int64) {
        guard let link else { return fail(count, "there is no connection") }
        var asked = 0
        while asked < count, owner.appendRequest(shape, to: &link.output) {
            asked += 1
            dues.append(due)
        }
        link.flush()
        if asked < count { owner.becameFree(self, by: count - asked, at: due) }
    }

    func close() {
        isClosed = true
        link?.close()
        link = nil
    }

    func link(_ link: RespLink, received plain: Int, at now: Int64) {
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
        guard let due = dues.popFirst() else { return }
        owner.answered(1, due: due, at: now, missing: missing.count)
        owner.becameFree(self, by: 1, at: now)
    }

    func link(_ link: RespLink, receivedError text: String, at now: Int64) {
        guard dues.popFirst() != nil else { return }
        owner.failed(1, text, at: now)
        owner.becameFree(self, by: 1, at: now)
    }

    func link(_ link: RespLink, lost reason: ConnectionError) {
        link.close()
        self.link = nil
        let lost = dues.count
        dues.removeAll()
        fail(lost, "\(reason)")
    }

    /// These asks fail; after a pause there is another try to connect.
    private func fail(_ count: Int, _ reason: String) {
        owner.failed(count, reason, at: owner.now)
        owner.after(milliseconds: 20) { [weak self] in
            guard let self, !isClosed else { return }
            if link == nil { link = try? RespLink(path, on: owner.loop, input: owner.input, owner: self) }
            owner.becameFree(self, by: count, at: owner.now)
        }
    }
}
