import CLinux
import EventLoop
import Glibc
import Groundwork
import Logging

/// Accepts connections on one loop. Loop's thread only.
final class UnixListener: EventSource {
    private let descriptor: Int32
    private let loop: EventLoop
    private let logger: Logger
    private let accepted: (Int32) -> Void
    private var registration: Registration?
    /// Whether the last attempt failed because there were no descriptors: said once, not ten times a second.
    private var isStarved = false

    /// How many connections one round accepts, so that those that are there get their turn.
    private static let acceptsInARound = 64
    /// The pause in accepting when the process or the machine has no descriptors left.
    private static let pause: Duration = .milliseconds(100)

    /// Hands each descriptor that it accepts to `accepted`, which owns it from then on.
    init(_ descriptor: Int32, on loop: EventLoop, logger: Logger, accepted: @escaping (Int32) -> Void) {
        self.descriptor = descriptor
        self.loop = loop
        self.logger = logger
        self.accepted = accepted
    }

    func start() throws(SystemError) {
        registration = try loop.register(descriptor, for: .readable, source: self)
    }

    /// Accepts no more. The descriptor stays open.
    func stop() {
        if let registration { loop.deregister(registration) }
        registration = nil
    }

    /// Accepts all who connected by now.
    func acceptWaiting() {
        while accept() {}
    }

    func ready(_ readiness: Readiness) {
        for _ in 0..<Self.acceptsInARound {
            guard accept() else { return }
        }
    }

    /// One accept4(2). False: nobody waits, or nobody can be taken.
    private func accept() -> Bool {
        let client = pgs_accept(descriptor)
        if client >= 0 {
            isStarved = false
            accepted(client)
            return true
        }
        switch errno {
        case EINTR, ECONNABORTED: return true
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            backOff(SystemError("accept4", code: errno))
            return false
        default: return false
        }
    }

    /// The waiting connection keeps the listener readable: without a pause the loop would spin until a descriptor is free.
    private func backOff(_ error: SystemError) {
        guard let registration else { return }
        if !isStarved { logger.warning("accepting no client until there are descriptors again: \(error)") }
        isStarved = true
        loop.update(registration, for: [])
        loop.schedule(at: loop.now + Self.pause) { [self] in
            guard let registration = self.registration else { return }
            loop.update(registration, for: .readable)
        }
    }
}
