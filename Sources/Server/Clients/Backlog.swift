/// Why what a client is sent can wait for it no longer, so that it is closed.
enum Backlog {
    /// It took nothing in all that time.
    case untaken(Duration)
    /// It takes its replies slowly, and others wait for the room that these hold.
    case inOthersWay
    /// It was told of changes or events beyond what may wait for one client.
    case beyondOutput
    /// It was told of a change or an event when the replies of all clients held all the room.
    case withoutRoom
    /// Events came faster than its loop could tell anybody, and some were lost.
    case lostEvents

    /// For the log.
    var text: String {
        switch self {
        case .untaken(let time): "it read nothing for \(time)"
        case .inOthersWay: "it reads slowly, and others wait for room (max_buffers)"
        case .beyondOutput: "it was to be told more than may wait for it (max_output)"
        case .withoutRoom: "it was to be told something, and replies of all clients hold all the room (max_buffers)"
        case .lostEvents: "it was to be told more events than its loop can keep"
        }
    }
}
