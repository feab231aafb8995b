import EventLoop

/// Watches a connection's descriptor: always for input, and for room in the kernel's buffer while libpq has something to send.
struct DescriptorWatch {
    private let loop: EventLoop
    private let registration: Registration
    /// Whether what libpq holds back is to be flushed again when the descriptor is ready.
    private(set) var waitsForWriting = false

    /// Begins to watch for input.
    init(_ descriptor: Int32, on loop: EventLoop, source: any EventSource) throws(SystemError) {
        self.loop = loop
        registration = try loop.register(descriptor, for: .readable, source: source)
    }

    /// Waits for what the outcome of a flush asks for. False when the connection is lost.
    mutating func follow(_ flushed: PQConnection.Flush) -> Bool {
        switch flushed {
        case .done: waitForWriting(false)
        case .partly: waitForWriting(true)
        case .failed: return false
        }
        return true
    }

    private mutating func waitForWriting(_ waits: Bool) {
        guard waits != waitsForWriting else { return }
        waitsForWriting = waits
        loop.update(registration, for: waits ? [.readable, .writable] : .readable)
    }

    /// Stops watching. To be called before the connection is closed.
    func end() {
        loop.deregister(registration)
    }
}
