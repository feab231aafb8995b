import Glibc
import Synchronization

/// The terminal while `pgsidecar top` has it: a screen of its own, and keys that come as they are pressed.
struct Terminal: ~Copyable {
    private let before: termios

    /// Set by a signal that ends the process.
    private static let isEnding = Atomic<Bool>(false)

    /// Takes the terminal over; nil when standard input and output are none.
    ///
    /// Not an initializer that may fail: what such a one leaves behind is given back as if it had been taken.
    static func take() -> Terminal? {
        var before = termios()
        guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &before) == 0 else {
            return nil
        }
        return Terminal(before)
    }

    private init(_ before: termios) {
        self.before = before
        // Touched here first: a signal's function may not be what initializes it.
        Self.isEnding.store(false, ordering: .relaxed)
        signal(SIGTERM) { _ in Terminal.isEnding.store(true, ordering: .relaxed) }
        signal(SIGHUP) { _ in Terminal.isEnding.store(true, ordering: .relaxed) }
        var raw = before
        raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSANOW, &raw)
        write("\u{1b}[?1049h\u{1b}[?25l")
    }

    deinit {
        write("\u{1b}[?25h\u{1b}[?1049l")
        var before = before
        tcsetattr(STDIN_FILENO, TCSANOW, &before)
    }

    /// Columns and rows of now.
    var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return (80, 24) }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Shows lines from the top, as many as there is room for, in place of what was there.
    func show(_ lines: [String]) {
        let shown = lines.prefix(max(1, size.height)).map { "\($0)\u{1b}[K" }
        write("\u{1b}[H" + shown.joined(separator: "\r\n") + "\u{1b}[J")
    }

    /// Waits for so long, or until somebody wants the end: by `q`, by Ctrl-C, by a signal, or by closing the terminal.
    func waitsForEnd(_ milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        let count = poll(&waiting, 1, milliseconds)
        if Self.isEnding.load(ordering: .relaxed) { return true }
        guard count > 0 else { return false }
        var keys = [UInt8](repeating: 0, count: 64)
        let read = read(STDIN_FILENO, &keys, keys.count)
        return read <= 0 || keys.prefix(read).contains { [UInt8(ascii: "q"), UInt8(ascii: "Q"), 3, 4].contains($0) }
    }

    private func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
