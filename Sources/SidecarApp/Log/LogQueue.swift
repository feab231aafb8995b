import Groundwork
import Logging

/// Log lines that wait to be written, in bounded room, and what was left out. No I/O, no clock.
struct LogQueue {
    /// The call site that a message comes from: what it says from time to time is of one kind.
    struct Site: Hashable {
        let file: String
        let line: UInt
    }

    /// What stands for messages that were left out.
    enum Notice: Equatable {
        /// How many lines were dropped because the queue was full.
        case dropped(Int)
        /// A site went on with so many more like its last one that was written.
        case repeated(Int, like: String, level: Logger.Level)
    }

    /// How often one site speaks at most: so many messages at once, and from then on so many a second.
    static let burst = 100
    static let perSecond = 10

    private struct Allowance {
        var left = Double(LogQueue.burst)
        var since: Instant
        var said: String
        var level: Logger.Level
        var leftOut = 0
    }

    private let capacity: Int
    private var lines: [[UInt8]] = []
    private var bytes = 0
    private var dropped = 0
    /// As many as there are sites in the program.
    private var allowances: [Site: Allowance] = [:]

    /// Whether a site went on that was not heard any more; nobody but time brings that up.
    private(set) var hasLeftOut = false

    /// A queue of at most `capacity` bytes.
    init(capacity: Int) {
        self.capacity = capacity
    }

    /// Whether a site may say something now. If not, that is counted.
    mutating func admits(
        _ site: Site, saying message: @autoclosure () -> String, _ level: Logger.Level, at now: Instant
    )
        -> Bool
    {
        var allowance = allowances[site] ?? Allowance(since: now, said: "", level: level)
        let earned = Double((now - allowance.since).wholeNanoseconds) / 1e9 * Double(Self.perSecond)
        allowance.left = min(Double(Self.burst), allowance.left + earned)
        allowance.since = now
        let isAdmitted = allowance.left >= 1
        if isAdmitted {
            allowance.left -= 1
            if allowance.left < 1 { allowance.said = message() }
            allowance.level = level
        } else {
            allowance.leftOut += 1
            hasLeftOut = true
        }
        allowances[site] = allowance
        return isAdmitted
    }

    /// Takes a line, or counts it as dropped when there is no room. Returns whether there was none before it, so that the
    /// writer is to be woken.
    mutating func append(_ line: [UInt8]) -> Bool {
        guard bytes + line.count <= capacity else {
            dropped += 1
            return false
        }
        bytes += line.count
        lines.append(line)
        return lines.count == 1
    }

    /// Takes out everything that waits.
    mutating func takeLines() -> [[UInt8]] {
        bytes = 0
        defer { lines = [] }
        return lines
    }

    /// Takes out what is to be said of messages that were left out.
    mutating func takeNotices() -> [Notice] {
        var notices: [Notice] = []
        if hasLeftOut {
            hasLeftOut = false
            for (site, allowance) in allowances where allowance.leftOut > 0 {
                notices.append(.repeated(allowance.leftOut, like: allowance.said, level: allowance.level))
                allowances[site]?.leftOut = 0
            }
        }
        if dropped > 0 { notices.append(.dropped(dropped)) }
        dropped = 0
        return notices
    }
}
