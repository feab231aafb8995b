/// The bytes of requests.
public enum RespRequest {
    /// Appends a request to `bytes`: an array of bulk strings.
    public static func append(_ arguments: [String], to bytes: inout [UInt8]) {
        appendHeader("*", arguments.count, to: &bytes)
        for argument in arguments {
            appendHeader("$", argument.utf8.count, to: &bytes)
            bytes.append(contentsOf: argument.utf8)
            bytes.append(contentsOf: lineEnd)
        }
    }

    private static let lineEnd: [UInt8] = [UInt8(ascii: "\r"), UInt8(ascii: "\n")]

    private static func appendHeader(_ type: Unicode.Scalar, _ count: Int, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: type))
        bytes.append(contentsOf: "\(count)".utf8)
        bytes.append(contentsOf: lineEnd)
    }
}
