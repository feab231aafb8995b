import EventLoop
import Groundwork

/// Asks a sidecar through one connection, many requests at a time, and has every answer judged. Its loop's thread alone.
final class Reader {
    /// What all readers share.
    struct Plan: Sendable {
        let socket: String
        let ledger: Ledger
        let progress: Progress
        /// Requests on their way at once, for each.
        let depth: Int
        let seed: UInt64
        /// Whether some keys are asked for under another text than their own.
        let spellsKeysOut: Bool
        /// Whether errors are to be expected, because something is being broken.
        let toleratesErrors: Bool
    }

    private enum Question {
        case value(Int)
        case values([Int])
        case row(Int)
        case hash(Int)
        case shelf(Int)
    }

    /// The groups have memories of their own, so a reader's last version is that of one group.
    private struct Memory {
        var value: [Int64]
        var row: [Int64]
        var shelf: [Int64]

        init(_ count: Int) {
            value = Array(repeating: 0, count: count)
            row = value
            shelf = value
        }
    }

    private let index: Int
    private let plan: Plan
    private let onEnd: () -> Void
    private var connection: PipelinedConnection?
    private var random: SplitMix64
    private var last: Memory
    /// What was asked and is not answered yet, as a ring of `depth` slots.
    private var asked: [(Question, Instant)?]
    private var first = 0
    private var count = 0

    /// Connects and begins to ask. `onEnd` is called once, when enough was read or the connection ended.
    static func start(
        _ index: Int, _ plan: Plan, on loop: EventLoop, onEnd: @escaping () -> Void
    ) throws(ConnectionError) {
        let reader = Reader(index, plan, onEnd)
        // The connection keeps the reader, until it is closed.
        reader.connection = try PipelinedConnection(
            plan.socket, on: loop, onReply: { reader.receive($0) },
            onEnd: { error in
                plan.ledger.note(.unanswered, "reader \(index): \(error)")
                reader.connection = nil
                reader.onEnd()
            })
        reader.fill()
    }

    private init(_ index: Int, _ plan: Plan, _ onEnd: @escaping () -> Void) {
        self.index = index
        self.plan = plan
        self.onEnd = onEnd
        random = SplitMix64(seed: plan.seed &+ 1000 &+ UInt64(index))
        last = Memory(plan.ledger.keyCount)
        asked = Array(repeating: nil, count: max(1, plan.depth))
    }

    private func receive(_ reply: WireReply) {
        guard count > 0, let (question, instant) = asked[first] else {
            return plan.ledger.note(.malformed, "reader \(index): a reply that nobody asked for")
        }
        asked[first] = nil
        first = (first + 1) % asked.count
        count -= 1
        judge(reply, to: question, asked: instant)
        if count <= asked.count / 2 { fill() }
    }

    private func fill() {
        if plan.progress.isStopped {
            guard count == 0, let connection else { return }
            connection.close()
            self.connection = nil
            return onEnd()
        }
        let now = Instant.now()
        while count < asked.count {
            let question = ask()
            asked[(first + count) % asked.count] = (question, now)
            count += 1
        }
        connection?.flush()
    }

    private func ask() -> Question {
        switch random.next() % 100 {
        case 0..<45:
            let key = key()
            connection?.append(["GET", "value:\(key)"])
            return .value(key)
        case 45..<60:
            let keys = (0..<Int(2 + random.next() % 15)).map { _ in key() }
            connection?.append(["MGET"] + keys.map { "value:\($0)" })
            return .values(keys)
        case 60..<75:
            let key = key()
            // The same row under another text.
            let isSpelledOut = plan.spellsKeysOut && random.next() % 10 == 0
            connection?.append(["GET", isSpelledOut ? "row:0\(key)" : "row:\(key)"])
            return .row(key)
        case 75..<88:
            let key = key()
            connection?.append(["HGETALL", "row:\(key)"])
            return .hash(key)
        default:
            let shelf = Subject.shelf(of: key())
            connection?.append(["GET", "shelf:\(shelf)"])
            return .shelf(shelf)
        }
    }

    private func key() -> Int { Popularity.index(below: plan.ledger.keyCount, by: &random) }

    // MARK: Answers

    private func judge(_ reply: WireReply, to question: Question, asked: Instant) {
        if case .error(let text) = reply {
            plan.progress.noteError()
            if !plan.toleratesErrors { plan.ledger.note(.unanswered, "reader \(index), \(question): \(text)") }
            return
        }
        switch question {
        case .value(let key): judgeValue(reply, key, asked)
        case .values(let keys):
            guard case .array(let parts) = reply, parts.count == keys.count else {
                return noteMalformed(reply, question)
            }
            for (part, key) in zip(parts, keys) { judgeValue(part, key, asked) }
        case .row(let key):
            guard let answer = Subject.row(reply, of: key) else { return noteMalformed(reply, question) }
            judge(key, answer, asked, &last.row[key], "row")
        case .hash(let key):
            guard let answer = Subject.hash(reply, of: key) else { return noteMalformed(reply, question) }
            judge(key, answer, asked, &last.row[key], "row")
        case .shelf(let shelf):
            guard let answers = Subject.shelf(reply, shelf) else { return noteMalformed(reply, question) }
            for (slot, answer) in answers.enumerated() {
                let key = shelf * Subject.shelfSize + slot
                guard key < plan.ledger.keyCount else { continue }
                judge(key, answer, asked, &last.shelf[key], "shelf")
            }
        }
    }

    private func judgeValue(_ reply: WireReply, _ key: Int, _ asked: Instant) {
        guard let answer = Subject.value(reply) else { return noteMalformed(reply, .value(key)) }
        judge(key, answer, asked, &last.value[key], "value")
    }

    private func judge(
        _ key: Int, _ answer: KeyHistory.Answer, _ asked: Instant, _ last: inout Int64, _ group: String
    ) {
        let isStale = plan.ledger.judge(key, answer, asked: asked, last: &last, by: index, from: group)
        plan.progress.noteRead(isStale: isStale)
    }

    private func noteMalformed(_ reply: WireReply, _ question: Question) {
        plan.ledger.note(.malformed, "reader \(index), \(question): \(reply)")
    }
}
