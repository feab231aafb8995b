import Dispatch
import Glibc
import Groundwork
public import Logging
import Machine

/// Writes log records to standard error on a thread of its own, so that nobody who logs ever waits for who reads the log.
///
/// The queue before it is bounded: when the reader stands still, further records are dropped, and their number is told when
/// the log goes again. Messages of one call site that speaks too often are dropped in the same way.
public final class LogWriter: Sendable {
    private let descriptor: Int32
    private let style: LogStyle
    private let leastLevel: Groundwork.Mutex<Logger.Level>
    private let queue: Groundwork.Mutex<State>
    /// Signalled when there is something to do for the thread.
    private let work = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    private struct State {
        var lines: LogQueue
        var isEnding = false
    }

    /// Bytes of lines that wait at most.
    private static let capacity = 256 << 10

    /// A writer as the settings say, to `descriptor`: standard error, if nothing else is said.
    public init(_ settings: Settings.Log, to descriptor: Int32 = 2) {
        self.descriptor = descriptor
        let isForJournal = LogStyle.isJournal(descriptor, stream: getenv("JOURNAL_STREAM").map { String(cString: $0) })
        style = LogStyle(format: settings.format, isForJournal: isForJournal)
        leastLevel = Groundwork.Mutex(settings.level)
        queue = Groundwork.Mutex(State(lines: LogQueue(capacity: Self.capacity)))
        if !startThread({ [self] in run() }) {
            // Without a thread nothing is written: what is logged is dropped rather than waited for.
            ended.signal()
        }
    }

    /// The least important level that is logged. It may change at any time.
    public var level: Logger.Level {
        get { leastLevel.withLock { $0 } }
        set { leastLevel.withLock { $0 = newValue } }
    }

    /// A logger whose records this writes.
    public var logger: Logger {
        Logger(label: "pgsidecar") { _ in QueueingLogHandler(writer: self) }
    }

    /// Writes what waits, for at most `limit`, and ends. What is logged later is lost.
    public func finish(within limit: Duration = .seconds(1)) {
        queue.withLock { $0.isEnding = true }
        work.signal()
        _ = ended.wait(timeout: .now() + .nanoseconds(Int(limit.wholeNanoseconds)))
        ended.signal()
    }

    /// Takes a record. Never blocks for longer than a short lock.
    func log(_ event: LogEvent, _ metadata: Logger.Metadata) {
        let now = Instant.now()
        let site = LogQueue.Site(file: event.file, line: event.line)
        let (isAdmitted, isFirstLeftOut) = queue.withLock { state in
            let before = state.lines.hasLeftOut
            let isAdmitted = state.lines.admits(site, saying: "\(event.message)", event.level, at: now)
            return (isAdmitted, state.lines.hasLeftOut && !before)
        }
        guard isAdmitted else {
            // The thread tells a second later how many they have become.
            if isFirstLeftOut { work.signal() }
            return
        }
        var pairs = metadata.sorted { $0.key < $1.key }.map { (name: $0.key, value: "\($0.value)") }
        if let error = event.error { pairs.append(("error", "\(error)")) }
        append(event.level, "\(event.message)", pairs)
    }

    private func append(_ level: Logger.Level, _ message: String, _ metadata: [(name: String, value: String)]) {
        let line = rendered(level, message, metadata)
        if queue.withLock({ $0.lines.append(line) }) { work.signal() }
    }

    private func rendered(
        _ level: Logger.Level, _ message: String, _ metadata: [(name: String, value: String)] = []
    ) -> [UInt8] {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return style.line(level, message, metadata, at: time)
    }

    // MARK: The thread

    private func run() {
        // When messages that were left out are told; nil: there are none.
        var noticesDue: Instant?
        // Lines that could not be written, as on a full disk, and were not told of.
        var unwritten = 0
        while true {
            let now = Instant.now()
            let (lines, notices, hasLeftOut, isEnding) = queue.withLock { state in
                let lines = state.lines.takeLines()
                let isDue = state.isEnding || !state.lines.hasLeftOut || noticesDue.map { now >= $0 } ?? false
                let notices = isDue ? state.lines.takeNotices() : []
                return (lines, notices, state.lines.hasLeftOut, state.isEnding)
            }
            noticesDue = hasLeftOut ? noticesDue ?? now + .seconds(1) : nil
            for line in lines + notices.map({ rendered($0.level, $0.text) }) {
                if unwritten > 0, writeAll(rendered(.warning, Self.text(unwritten: unwritten)), to: descriptor) {
                    unwritten = 0
                }
                if !writeAll(line, to: descriptor) { unwritten += 1 }
            }
            if !lines.isEmpty || !notices.isEmpty { continue }
            if isEnding { break }
            if let noticesDue {
                let wait = max(1, (noticesDue - now).wholeNanoseconds)
                _ = work.wait(timeout: .now() + .nanoseconds(Int(wait)))
            } else {
                work.wait()
            }
        }
        ended.signal()
    }

    private static func text(unwritten count: Int) -> String {
        "\(count) log \(count == 1 ? "message" : "messages") could not be written"
    }
}

extension LogQueue.Notice {
    fileprivate var level: Logger.Level {
        switch self {
        case .dropped: .warning
        case .repeated(_, like: _, let level): level
        }
    }

    fileprivate var text: String {
        switch self {
        case .dropped(let count):
            "\(count) log \(count == 1 ? "message was" : "messages were") dropped: nobody read the log"
        case .repeated(let count, let said, level: _):
            "\(count) more \(count == 1 ? "message was" : "messages were") left out like: \(said)"
        }
    }
}

/// Hands records to a ``LogWriter``.
private struct QueueingLogHandler: LogHandler {
    let writer: LogWriter
    /// What somebody wants for his own copy of the logger.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(writer: LogWriter) {
        self.writer = writer
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? writer.level }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, later in later } }
        if let given = event.metadata { all.merge(given) { _, later in later } }
        writer.log(event, all)
    }
}
