import Glibc

/// Standard input, output and error.
enum StandardStreams {
    /// Opens those that whoever started the program left closed, to lead nowhere. Else the next thing that is opened gets
    /// their number, such as a database connection, and log lines are written into it.
    static func open() {
        while true {
            let descriptor = Glibc.open("/dev/null", O_RDWR)
            if descriptor > STDERR_FILENO { close(descriptor) }
            guard (STDIN_FILENO...STDERR_FILENO).contains(descriptor) else { return }
        }
    }
}
