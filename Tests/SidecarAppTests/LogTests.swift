import Foundation
import Glibc
import Groundwork
import Logging
import Postgres
import Server
import Testing

@testable import SidecarApp

/// A pipe, and a thread that reads it when it is told to.
private final class LogPipe: Sendable {
    let input: Int32
    private let output: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        // A write that nobody reads is an error, as in the program.
        signal(SIGPIPE, SIG_IGN)
        _ = pipe(&ends)
        (output, input) = (ends[0], ends[1])
    }

    // The other end stays open: the writer's thread may outlive the test, and would write into what had the number next.
    deinit { close(output) }

    /// Reads until a line is there that `isLast` takes.
    func lines(until isLast: @escaping @Sendable (Substring) -> Bool) async -> [Substring] {
        await withCheckedContinuation { continuation in
            _ = startThread { [self] in
                var text: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 64 << 10)
                while true {
                    let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
                    if text.last == UInt8(ascii: "\n"), let last = lines.last, isLast(last) {
                        return continuation.resume(returning: lines)
                    }
                    let count = read(output, &chunk, chunk.count)
                    guard count > 0 else { return continuation.resume(returning: lines) }
                    text += chunk[..<count]
                }
            }
        }
    }
}

@Suite(.timeLimit(.minutes(10))) struct LogTests {
    private func settings(_ format: Settings.Log.Format = .text) -> Settings.Log {
        var settings = Settings.Log()
        settings.format = format
        settings.level = .trace
        return settings
    }

    @Test func `who logs never waits for who reads, and what was dropped is told when the log goes again`() async {
        let pipe = LogPipe()
        let log = LogWriter(settings(), to: pipe.input)
        let logger = log.logger
        // Many more bytes than pipe and queue hold, each line from a source of its own in the program. Who waited would wait for
        // ever.
        let long = String(repeating: "x", count: 1000)
        for number in 0..<2000 { logger.log(level: .info, "\(long)", file: "Site\(number).swift", line: 1) }
        async let read = pipe.lines { $0.contains("dropped") }
        let lines = await read
        let written = lines.filter { $0.contains("xxx") }.count
        #expect(written > 100 && written < 2000)
        #expect(
            lines.last?.hasSuffix("warning \(2000 - written) log messages were dropped: nobody read the log") == true)
        log.finish()
    }

    @Test func `what could not be written is counted, and told when the log can be written again`() async throws {
        let path = "/tmp/pgsidecar-log-\(UUID().uuidString.prefix(8))"
        try #require(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        signal(SIGPIPE, SIG_IGN)
        var reader = open(path, O_RDONLY | O_NONBLOCK)
        let input = open(path, O_WRONLY)
        let log = LogWriter(settings(), to: input)
        defer {
            log.finish()
            close(input)
            close(reader)
        }
        var text = ""
        let deadline = Instant.now() + .seconds(30)
        // The reader goes, and comes back when the writer has, most probably, met that; else it goes once more.
        while !text.contains("could not be written"), Instant.now() < deadline {
            close(reader)
            log.logger.info("lost")
            try await Task.sleep(for: .milliseconds(20))
            reader = open(path, O_RDONLY | O_NONBLOCK)
            log.logger.info("here")
            var wait = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while !text.hasSuffix("here\n"), poll(&wait, 1, 1000) > 0 {
                let count = read(reader, &chunk, chunk.count)
                guard count > 0 else { break }
                text += String(decoding: chunk[..<count], as: UTF8.self)
            }
        }
        #expect(text.contains("warning 1 log message could not be written"), "\(text)")
    }

    @Test func `ending does not wait for a log that nobody reads`() {
        let pipe = LogPipe()
        let log = LogWriter(settings(), to: pipe.input)
        let long = String(repeating: "x", count: 1000)
        for number in 0..<300 { log.logger.log(level: .info, "\(long)", file: "Site\(number).swift", line: 1) }
        // Else it would not return.
        log.finish(within: .milliseconds(100))
    }

    @Test func `what waits is written at the end`() async {
        let pipe = LogPipe()
        let log = LogWriter(settings(), to: pipe.input)
        for number in 1...50 { log.logger.info("\(number)") }
        log.finish()
        let lines = await pipe.lines { $0.hasSuffix(" 50") }
        #expect(lines.count == 50)
    }

    @Test func `one call site that speaks too often is cut short, and others are not`() async {
        let pipe = LogPipe()
        let log = LogWriter(settings(), to: pipe.input)
        for number in 0..<5000 { log.logger.warning("chatter \(number)") }
        log.logger.warning("something else")
        let lines = await pipe.lines { $0.contains("left out") }
        #expect(lines.contains { $0.hasSuffix("something else") })
        let chatter = lines.filter { $0.contains(" warning chatter ") }.count
        #expect(chatter >= LogQueue.burst && chatter < LogQueue.burst + 50)
        #expect(
            lines.last?.contains("\(5000 - chatter) more messages were left out like: chatter") == true,
            "\(lines.last ?? "")")
        log.finish()
    }

    @Test func `a call site earns its say again`() {
        var queue = LogQueue(capacity: 1000)
        let site = LogQueue.Site(file: "f", line: 1)
        var now = Instant(nanoseconds: 0)
        func admit(_ text: String, _ expected: Bool) {
            let isAdmitted = queue.admits(site, saying: text, .info, at: now)
            #expect(isAdmitted == expected)
        }
        for _ in 0..<LogQueue.burst { admit("a", true) }
        admit("a", false)
        let notices = queue.takeNotices()
        #expect(notices == [.repeated(1, like: "a", level: .info)])
        #expect(!queue.hasLeftOut)
        now = now + .seconds(1)
        for _ in 0..<LogQueue.perSecond { admit("b", true) }
        admit("b", false)
    }

    private let time = timespec(tv_sec: 1_769_903_999, tv_nsec: 123_456_789)

    private func line(
        _ format: Settings.Log.Format, journal: Bool = false, _ level: Logger.Level, _ message: String,
        _ metadata: [(name: String, value: String)] = []
    ) -> String {
        String(
            decoding: LogStyle(format: format, isForJournal: journal).line(level, message, metadata, at: time),
            as: UTF8.self)
    }

    @Test func `a record is one line, whatever its texts hold`() throws {
        let evil = "a\nb\r\u{1b}[2J\u{2028}\"c\\\t\u{0}é🦊"
        for format in Settings.Log.Format.allCases {
            let line = line(format, .error, evil, [("name", evil)])
            #expect(line.utf8.filter { $0 < 0x20 } == [0x0a])
            #expect(line.hasSuffix("\n"))
            #expect(!line.contains("\u{2028}"))
        }
        let object = try JSONSerialization.jsonObject(with: Data(line(.json, .error, evil, [("name", evil)]).utf8))
        let record = try #require(object as? [String: Any])
        #expect(record["message"] as? String == evil)
        #expect((record["metadata"] as? [String: String])?["name"] == evil)
        #expect(record["level"] as? String == "error")
        #expect(record["time"] as? String == "2026-01-31T23:59:59.123Z")
    }

    @Test func `a text is time, level, message and what belongs to it`() {
        #expect(
            line(.text, .notice, "group works", [("group", "a"), ("reason", "it was \"late\""), ("none", "")])
                == "2026-01-31T23:59:59.123Z notice group works group=a reason=\"it was \\\"late\\\"\" none=\"\"\n")
    }

    @Test func `for the journal a line begins with its priority and has no time`() {
        #expect(line(.text, journal: true, .warning, "so") == "<4>so\n")
        #expect(line(.json, journal: true, .critical, "so").hasPrefix("<2>{\"time\":"))
        #expect(
            Logger.Level.allCases.map { line(.text, journal: true, $0, "").prefix(3) }
                == ["<7>", "<7>", "<6>", "<5>", "<4>", "<3>", "<2>"])
    }

    @Test func `the journal is known by the file that it made, not by its variable alone`() {
        let pipe = LogPipe()
        var status = stat()
        fstat(pipe.input, &status)
        #expect(LogStyle.isJournal(pipe.input, stream: "\(status.st_dev):\(status.st_ino)"))
        #expect(!LogStyle.isJournal(pipe.input, stream: "\(status.st_dev):\(status.st_ino + 1)"))
        #expect(!LogStyle.isJournal(pipe.input, stream: nil))
    }

    @Test func `settings don't show their secrets, however they are printed`() throws {
        let read = try SidecarAppTests.settings(
            """
            database: { url: "postgresql://app:sesame1@db/app", password: sesame2 }
            listen: { password: sesame3 }
            \(rightGroup)
            """)
        var dumped = ""
        dump(read, to: &dumped)
        dump(read.database, to: &dumped)
        for text in ["\(read)", String(reflecting: read), "\(read.database)", "\(read.listen)", dumped] {
            #expect(!text.contains("sesame"), "\(text)")
        }
        #expect(read.database.password?.exposed == "sesame2")
    }
}
