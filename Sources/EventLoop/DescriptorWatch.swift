/// Watches a connection's descriptor: always for input, and for room in the kernel's buffer while there is something to send. On
/// its loop's thread only.
public struct DescriptorWatch {
    private let loop: EventLoop
    private let registration: Registration
    /// Whether what could not be sent is to be sent when the descriptor is ready.
    public private(set) var waitsForWriting = false

    /// Begins to watch for input.
    public init(_ descriptor: Int32, on loop: EventLoop, source: any EventSource) throws(SystemError) {
        self.loop = loop
        registration = try loop.register(descriptor, for: .readable, source: source)
    }

    /// Waits for room, or no longer.
    public mutating func waitForWriting(_ waits: Bool) {
        guard waits != waitsForWriting else { return }
        waitsForWriting = waits
        loop.update(registration, for: waits ? [.readable, .writable] : .readable)
    }

    /// Stops watching. To be called before the descriptor is closed.
    public func end() {
        loop.deregister(registration)
    }
}
