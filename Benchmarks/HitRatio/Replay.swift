import CacheCore
import Groundwork

/// Asks a group for the keys of a trace: the code that serves is the code that is measured.
struct Replay {
    private let group: Group
    private let start = Instant.now()
    private let nobody = Nobody()

    /// The time from one lookup to the next: longer than the second for which `lru` leaves an entry where it is.
    private static let interval = Duration.seconds(2)

    /// A group with room for `capacity` entries.
    init(_ eviction: Eviction, capacity: Int) throws {
        var settings = GroupSettings()
        settings.eviction = eviction
        settings.timeToLive = nil
        // Room for a slot more, since an insertion wants it before it finds a vacant one.
        settings.memory = capacity == 1 ? .max : capacity * (try Self.bytesAnEntry()) + 64
        group = try Group("replay", settings: settings, getter: FixedGetter())
    }

    /// The hits of a whole trace, beginning with nothing in memory.
    func hits(of trace: Trace) -> Int {
        for (index, key) in trace.keys.enumerated() { ask(key, at: start + Self.interval * index) }
        return group.statistics.hits
    }

    private func ask(_ key: Int, at now: Instant) {
        withUnsafeBytes(of: key) { bytes in
            let waiter = Waiter(nobody, token: 0, deadline: now)
            var nothing = OutputRawSpan()
            // The bytes outlive the call.
            let key = RawSpan(_unsafeBytes: bytes)
            switch group.lookup(key, .none, at: now, waiter: waiter, into: &nothing) {
            case .hit: break
            case .follows: break
            case .refused: break
            case .leads(let flight, _): group.load(flight)
            case .refreshes(_, let flight): group.load(flight)
            }
        }
    }

    private static func bytesAnEntry() throws -> Int {
        let alone = try Replay(.lru, capacity: 1)
        alone.ask(0, at: alone.start)
        return alone.group.statistics.bytes
    }
}

/// Values of 100 bytes, at once.
private struct FixedGetter: Getter {
    private let value = Value(text: [UInt8](repeating: 120, count: 100))

    func load(_ flight: consuming Flight) {
        flight.succeed(value)
    }
}

private final class Nobody: OutcomeSink {
    func deliver(_ outcome: Outcome, token: UInt64) {}
}
