import CacheCore
import Groundwork

/// A clock that the test moves.
final class MovedClock: Sendable {
    private let time = Mutex<Instant>(Instant(nanoseconds: 1_000_000_000))

    var now: Instant { time.withLock { $0 } }

    func advance(_ duration: Duration) {
        time.withLock { $0 = $0 + duration }
    }
}

/// A getter that holds its flights until the test lets them land.
final class HeldGetter: Getter {
    private let flights = Mutex<[FlightBox]>([])

    func load(_ flight: consuming Flight) {
        let box = FlightBox(flight)
        flights.withLock { $0.append(box) }
    }

    /// Keys whose flights are held, in the order of their start.
    var held: [String] { flights.withLock { $0.map(\.key) } }

    /// Takes the oldest held flight out.
    func next() -> FlightBox? {
        take(0)
    }

    /// Takes one of the held flights out, by its position among them.
    func take(_ position: Int) -> FlightBox? {
        flights.withLock { $0.indices.contains(position) ? $0.remove(at: position) : nil }
    }
}

/// Makes a flight fit for an array. One owner at a time.
final class FlightBox: @unchecked Sendable {
    private var flight: Flight?
    let key: String

    init(_ flight: consuming Flight) {
        key = String(decoding: flight.key.bytes, as: UTF8.self)
        self.flight = consume flight
    }

    func succeed(_ text: String) { flight.take()?.succeed(Value(text: Array(text.utf8))) }
    func succeed(_ value: Value) { flight.take()?.succeed(value) }
    func fail(_ error: LoadError) { flight.take()?.fail(error) }

    func end(_ outcome: Outcome) {
        switch outcome {
        case .success(let value): succeed(value)
        case .failure(let error): fail(error)
        }
    }

    func end(_ text: String, with others: borrowing CommonEnd) {
        flight.take()?.end(.success(Value(text)), with: others)
    }

    func drop() { flight = nil }
    func noteSent(at time: Instant) { flight?.noteSent(at: time) }
    func isWanted(at now: Instant) -> Bool { flight?.isWanted(at: now) ?? false }
}

/// Answers at once with what `answer` says.
struct PromptGetter: Getter {
    var answer: @Sendable (String) -> Value = { Value(text: Array("value of \($0)".utf8)) }

    func load(_ flight: consuming Flight) {
        let value = answer(String(decoding: flight.key.bytes, as: UTF8.self))
        flight.succeed(value)
    }
}

/// Collects outcomes by token.
final class Outcomes: OutcomeSink {
    private let delivered = Mutex<[UInt64: [String]]>([:])

    func deliver(_ outcome: Outcome, token: UInt64) {
        let text = Self.text(outcome)
        delivered.withLock { $0[token, default: []].append(text) }
    }

    /// What was delivered for `token`, each in words.
    subscript(token: UInt64) -> [String] { delivered.withLock { $0[token] ?? [] } }

    var count: Int { delivered.withLock { $0.values.reduce(0) { $0 + $1.count } } }

    private static func text(_ outcome: Outcome) -> String {
        switch outcome {
        case .success(let value): value.isMissing ? "missing" : string(value.text)
        case .failure(let error): "error: \(error.message)"
        }
    }
}

func string(_ span: RawSpan) -> String {
    span.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
}

/// A group with a moved clock, and lookups in words.
struct Bench {
    let clock = MovedClock()
    let cache: Cache
    let group: Group
    let outcomes = Outcomes()

    init(memory: Int = .max, waiters: Int = 1 << 20, settings: GroupSettings = GroupSettings(), getter: any Getter)
        throws
    {
        let clock = clock
        cache = Cache(memory: memory, waiters: waiters) { clock.now }
        group = try Group("g", settings: settings, in: cache, getter: getter)
    }

    /// How a lookup was decided: the text of a hit, "negative", "follows" or "leads". A load that it leads is started.
    @discardableResult
    func get(_ key: String, token: UInt64 = 0, form: Form = .text, deadline: Duration = .seconds(2)) -> String {
        lookup(key, token: token, form: form, deadline: deadline).0
    }

    func lookup(
        _ key: String, token: UInt64 = 0, form: Form = .text, deadline: Duration = .seconds(2)
    ) -> (String, Ticket?) {
        var bytes = [UInt8](repeating: 0, count: Group.copyLimit)
        let key = Array(key.utf8)
        let waiter = Waiter(outcomes, token: token, deadline: clock.now + deadline)
        return bytes.withUnsafeMutableBytes { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            let lookup = group.lookup(key.span.bytes, form, at: clock.now, waiter: waiter, into: &output)
            let count = output.finalize(for: buffer)
            let copied = String(decoding: buffer[..<count], as: UTF8.self)
            switch consume lookup {
            case .hit(let hit): return (text(of: hit, copied), nil)
            case .refreshes(let hit, let flight):
                group.load(flight)
                return (text(of: hit, copied) + " (refreshes)", nil)
            case .follows(let ticket): return ("follows", ticket)
            case .leads(let flight, let ticket):
                group.load(flight)
                return ("leads", ticket)
            case .refused(let error): return ("refused: \(error.message)", nil)
            }
        }
    }

    /// How a refresh on demand was decided: "follows" or "leads". A load that it leads is started.
    func refresh(_ key: String, token: UInt64, deadline: Duration = .seconds(2)) -> String {
        let waiter = Waiter(outcomes, token: token, deadline: clock.now + deadline)
        switch group.refresh(Array(key.utf8).span.bytes, waiter: waiter) {
        case .hit: return "hit"
        case .refreshes: return "refreshes"
        case .follows: return "follows"
        case .leads(let flight, _):
            group.load(flight)
            return "leads"
        case .refused(let error): return "refused: \(error.message)"
        }
    }

    private func text(of hit: Hit, _ copied: String) -> String {
        switch hit {
        case .copied: copied
        case .negative: "negative"
        case .large(let value): string(value.text)
        }
    }

    func peek(_ key: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: Group.copyLimit)
        let key = Array(key.utf8)
        return bytes.withUnsafeMutableBytes { buffer in
            var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
            switch group.peek(key.span.bytes, .text, at: clock.now, into: &output) {
            case .copied: return String(decoding: buffer[..<output.finalize(for: buffer)], as: UTF8.self)
            case .negative: return "negative"
            case .large(let value): return string(value.text)
            case nil: return nil
            }
        }
    }

    @discardableResult
    func insertIfAbsent(_ key: String, _ text: String?) -> Bool {
        group.insertIfAbsent(Key(key), text.map { Value(text: Array($0.utf8)) } ?? .missing)
    }

    func lifetime(_ key: String) -> Lifetime {
        let key = Array(key.utf8)
        return group.lifetime(of: key.span.bytes, at: clock.now)
    }

    @discardableResult
    func invalidate(_ key: String) -> Bool {
        group.invalidate(Array(key.utf8).span.bytes)
    }

    /// Invalidates a key; a flight that brings it back is started. Returns whether there is one.
    func reload(_ key: String) -> Bool {
        guard let flight = group.reload(Array(key.utf8).span.bytes) else { return false }
        group.load(flight)
        return true
    }
}
