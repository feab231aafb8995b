import Glibc

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible, Sendable {
    /// The call's name.
    public let call: String
    /// The value of `errno` after it.
    public let code: Int32

    /// Records that `call` failed with `code`.
    public init(_ call: String, code: Int32) {
        self.call = call
        self.code = code
    }

    /// The call and the system's text for its error.
    public var description: String { "\(call): \(Self.text(of: code))" }

    /// The system's text for a value of `errno`; safe on any thread.
    private static func text(of code: Int32) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            guard let base = buffer.baseAddress, strerror_r(code, base, buffer.count) == 0 else {
                return "error \(code)"
            }
            return String(cString: base)
        }
    }
}
