/// A connection by which a way is asked. On its loop's thread only.
protocol AskConnection: AnyObject {
    /// Requests that it was given and that are not over yet. For the loop that it belongs to, as are the next two.
    var inFlight: Int { get set }
    /// Since when it can take a request.
    var freeSince: Int64 { get set }
    /// Whether it is in the loop's list of those that can.
    var isListed: Bool { get set }

    /// Asks `count` times at once; each ask was due at `due`, or is when it is sent. The loop is told of each answer and error.
    func ask(_ count: Int, due: Int64?)
    /// When the asks that have no answer yet were due.
    var unanswered: [Int64] { get }
    /// Connects again where a connection is lost.
    func reconnect()
    /// Closes it; the loop is told nothing more.
    func close()
}

/// How requests look: GET, or MGET of several keys.
struct RequestShape: Sendable {
    /// Keys in a request.
    let width: Int
    private let head: [UInt8]

    init(width: Int) {
        self.width = width
        head = Array((width == 1 ? "*2\r\n$3\r\nGET\r\n" : "*\(width + 1)\r\n$4\r\nMGET\r\n").utf8)
    }

    /// Appends what stands before the keys.
    func appendHead(to bytes: inout [UInt8]) {
        head.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }
}
