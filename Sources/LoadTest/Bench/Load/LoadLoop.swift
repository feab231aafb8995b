import DequeModule
import EventLoop
import Groundwork

/// One loop of the generator: gives asks to its connections and notes what comes back.
///
/// In a closed loop a connection asks again, for a whole pipeline at once, when all is answered. In an open loop asks come by a
/// schedule, each goes to the connection that has been free for the longest, and waits in the schedule while there is none.
///
/// Unchecked: it is made and touched on its loop's thread only.
final class LoadLoop: @unchecked Sendable {
    let loop: EventLoop
    let input = ReceiveBuffer()
    let keys: KeySet
    private let plan: LoadPlan
    private let wakeUp: WakeUp
    private var schedule = Schedule.closed(until: 0)
    private var draw: KeyDraw
    /// The keys of the requests that are being put together.
    private var drawn: [Int] = []
    private var recorder = Recorder(from: 0, until: 1, intervalCount: 1)
    private var connections: [any AskConnection] = []
    /// Those that can take an ask, in an open loop.
    private var free: Deque<any AskConnection> = []
    private var inFlight = 0
    private var hasKeys = true
    /// Nil before it runs and after its end.
    private var onEnd: ((Recorder) -> Void)?
    private var hasEnded = false

    /// Below this a loop looks at the clock until an ask is due, as waking up takes about as long.
    private static let spinning: Int64 = 50_000

    /// For a loop, on its thread.
    init(_ plan: LoadPlan, on loop: EventLoop) throws(SystemError) {
        (self.plan, self.loop, keys, draw) = (plan, loop, plan.keys, plan.draw)
        wakeUp = try WakeUp(on: loop)
        loop.atRoundEnd { [weak self] in self?.askWhatIsDue() ?? false }
    }

    var now: Int64 { Instant.now().nanoseconds }

    /// When an ask of a closed loop is due that was taken and is about to be sent. The generator's own time before it is not the
    /// server's, so it is in no latency.
    var dueNow: Int64 { schedule.within(now) }

    private var isOpen: Bool { plan.rate != nil }

    /// Takes a connection on, before it runs.
    func add(_ connection: any AskConnection) { connections.append(connection) }

    /// Asks. `onEnd` is called once, with what was measured; the connections are closed then.
    func run(_ times: RunTimes, onEnd: @escaping (Recorder) -> Void) {
        recorder = Recorder(from: times.start, until: times.end, intervalCount: times.intervalCount)
        loop.schedule(at: Instant(nanoseconds: times.begin)) { [self] in
            self.onEnd = onEnd
            if let rate = plan.rate {
                schedule = .open(rate: rate, from: times.begin, until: times.end, seed: plan.seed)
                free = Deque(connections)
                for connection in connections { connection.isListed = true }
                loop.gathers()
            } else {
                schedule = .closed(until: times.end)
                for connection in connections { askAgain(connection, at: now) }
            }
            endIfDone()
        }
        loop.schedule(at: Instant(nanoseconds: times.deadline)) { [self] in giveUp() }
    }

    // MARK: Asking

    /// Closed loop: a whole pipeline at once.
    private func askAgain(_ connection: any AskConnection, at now: Int64) {
        guard hasKeys, onEnd != nil, schedule.take(at: now) != nil else { return }
        connection.inFlight = plan.pipeline
        inFlight += plan.pipeline
        connection.ask(plan.pipeline, due: nil)
    }

    /// Open loop: returns whether the next ask is due so soon that the loop had better not sleep.
    private func askWhatIsDue() -> Bool {
        guard isOpen, onEnd != nil else { return false }
        var now = now
        while hasKeys, let connection = free.first, let due = schedule.take(at: now) {
            free.removeFirst()
            recorder.noteLag(now - max(due, connection.freeSince), due: due)
            connection.inFlight += 1
            inFlight += 1
            connection.isListed = connection.inFlight < plan.pipeline
            if connection.isListed { free.append(connection) }
            connection.ask(1, due: due)
            now = self.now
        }
        endIfDone()
        guard !free.isEmpty, let next = schedule.nextDue else { return false }
        if next - now < Self.spinning { return true }
        wakeUp.set(to: next - Self.spinning / 2)
        return false
    }

    /// Appends `count` requests for the next keys, or fewer when each was asked for. Returns how many.
    func appendRequests(_ count: Int, _ shape: RequestShape, to bytes: inout [UInt8]) -> Int {
        drawn.removeAll(keepingCapacity: true)
        while drawn.count < count * shape.width, hasKeys {
            if let next = draw.next() { drawn.append(next) } else { hasKeys = false }
        }
        keys.prefetch(drawn)
        var requests = 0
        for first in stride(from: 0, to: drawn.count, by: shape.width) {
            shape.appendHead(to: &bytes)
            for index in first..<first + shape.width {
                // When the last keys of an order do not fill a request, its first one stands for what is missing.
                keys.appendBulk(drawn[index < drawn.count ? index : first], to: &bytes)
            }
            requests += 1
        }
        return requests
    }

    /// The next keys for one request, by their index; nil when each was asked for.
    func drawKeys() -> [Int]? {
        guard let first = draw.next() else {
            hasKeys = false
            return nil
        }
        return [first] + (1..<plan.width).map { _ in draw.next() ?? first }
    }

    // MARK: What connections tell

    func answered(_ count: Int, due: Int64, at now: Int64, missing: Int) {
        recorder.noteAnswers(count, due: due, at: now, width: plan.width, missing: missing)
        plan.meter.noteAnswers(count)
    }

    func failed(_ count: Int, _ text: String, at now: Int64) {
        recorder.noteErrors(count, text, at: now)
        plan.meter.noteErrors(count)
    }

    /// So many of the asks that a connection was given are over.
    func becameFree(_ connection: any AskConnection, by count: Int, at now: Int64) {
        connection.inFlight -= count
        inFlight -= count
        guard isOpen else {
            if connection.inFlight == 0 { askAgain(connection, at: now) }
            return endIfDone()
        }
        loop.gathers()
        if !connection.isListed {
            connection.freeSince = now
            connection.isListed = true
            free.append(connection)
        }
    }

    /// So many asks of a connection fail. After a pause it connects again, where it has to, and can take others.
    func fail(_ count: Int, of connection: any AskConnection, _ reason: String) {
        failed(count, reason, at: now)
        loop.schedule(at: Instant.now() + .milliseconds(20)) { [weak self, weak connection] in
            guard let self, !hasEnded, let connection else { return }
            connection.reconnect()
            becameFree(connection, by: count, at: now)
        }
    }

    // MARK: The end

    private func endIfDone() {
        guard inFlight == 0, !hasKeys || schedule.isOver(at: now) else { return }
        end()
    }

    /// What has no answer by now has waited at least until now.
    private func giveUp() {
        guard onEnd != nil else { return }
        let now = now
        for connection in connections {
            for due in connection.unanswered { recorder.noteUnanswered(due: due, at: now) }
        }
        while isOpen, let due = schedule.take(at: .max) { recorder.noteUnanswered(due: due, at: now) }
        end()
    }

    private func end() {
        guard let onEnd else { return }
        self.onEnd = nil
        hasEnded = true
        for connection in connections { connection.close() }
        connections = []
        free = []
        onEnd(recorder)
    }
}
