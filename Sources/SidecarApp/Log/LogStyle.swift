import Glibc
import Logging

/// How a log record becomes a line: exactly one, whatever the message holds.
struct LogStyle: Sendable {
    let format: Settings.Log.Format
    /// Whether systemd's journal reads the lines: then each begins with its priority, and the journal has the time.
    let isForJournal: Bool

    /// The longest text of a message or a value; more is cut off.
    static let longestText = 2048

    /// The line, with its end.
    func line(
        _ level: Logger.Level, _ message: String, _ metadata: [(name: String, value: String)], at time: timespec
    ) -> [UInt8] {
        var line = isForJournal ? "<\(level.priority)>" : ""
        switch format {
        case .text:
            if !isForJournal { line += "\(Self.text(of: time)) \(level) " }
            Self.append(message, to: &line, quoting: .none)
            for (name, value) in metadata {
                line += " "
                Self.append(name, to: &line, quoting: .none)
                line += "="
                let needsQuotes = value.isEmpty || value.utf8.contains { [0x20, 0x22, 0x3d, 0x5c].contains($0) }
                Self.append(value, to: &line, quoting: needsQuotes ? .text : .none)
            }
        case .json:
            line += "{\"time\":\"\(Self.text(of: time))\",\"level\":\"\(level)\",\"message\":"
            Self.append(message, to: &line, quoting: .json)
            for (index, (name, value)) in metadata.enumerated() {
                line += index == 0 ? ",\"metadata\":{" : ","
                Self.append(name, to: &line, quoting: .json)
                line += ":"
                Self.append(value, to: &line, quoting: .json)
            }
            line += metadata.isEmpty ? "}" : "}}"
        }
        line += "\n"
        return Array(line.utf8)
    }

    private enum Quoting {
        case none
        case text
        case json
    }

    /// Nothing that ends a line, moves a terminal's cursor or begins an escape sequence gets through.
    private static func append(_ text: String, to line: inout String, quoting: Quoting) {
        if quoting != .none { line += "\"" }
        var left = longestText
        for scalar in text.unicodeScalars {
            guard left > 0 else {
                line += "..."
                break
            }
            left -= 1
            switch scalar {
            case "\n": line += "\\n"
            case "\r": line += "\\r"
            case "\t": line += "\\t"
            case "\"" where quoting != .none: line += "\\\""
            case "\\" where quoting != .none: line += "\\\\"
            case "\0"..."\u{1f}", "\u{7f}"..."\u{9f}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                line += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: line.unicodeScalars.append(scalar)
            }
        }
        if quoting != .none { line += "\"" }
    }

    /// `2026-01-31T23:59:59.999Z`
    static func text(of time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ number: some BinaryInteger, _ count: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        return "\(digits(parts.tm_year + 1900, 4))-\(digits(parts.tm_mon + 1, 2))-\(digits(parts.tm_mday, 2))T"
            + "\(digits(parts.tm_hour, 2)):\(digits(parts.tm_min, 2)):\(digits(parts.tm_sec, 2))"
            + ".\(digits(time.tv_nsec / 1_000_000, 3))Z"
    }

    /// Whether systemd connected `descriptor` to its journal: `JOURNAL_STREAM` names the device and inode of its end
    /// (systemd.exec(5)). A descriptor that was redirected since is another file.
    static func isJournal(_ descriptor: Int32, stream: String?) -> Bool {
        guard let stream else { return false }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}

extension Logger.Level {
    /// The priority of syslog(3), which systemd's journal reads from `<N>` at a line's start (sd-daemon(3)).
    fileprivate var priority: Int {
        switch self {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
