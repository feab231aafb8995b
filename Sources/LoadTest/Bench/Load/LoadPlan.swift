import Synchronization

/// What a loop of the generator has to ask.
struct LoadPlan: Sendable {
    /// Asks a second of this loop; nil: a closed loop.
    var rate: Double?
    /// Requests on their way on a connection at most.
    var pipeline: Int
    /// Keys in a request.
    var width: Int
    var keys: KeySet
    var draw: KeyDraw
    var seed: UInt64
    var meter: Meter
}

/// When a run asks. Times are nanoseconds of the monotonic clock.
struct RunTimes: Sendable {
    /// When the warm-up begins.
    var begin: Int64
    /// The measured time.
    var start: Int64
    var end: Int64
    /// When what has no answer yet is given up.
    var deadline: Int64
    /// Steps of the series.
    var intervalCount: Int
}

/// What was answered so far, by all loops; for whoever shows it meanwhile.
final class Meter: Sendable {
    private let answers = Atomic<Int>(0)
    private let failures = Atomic<Int>(0)

    var answered: Int { answers.load(ordering: .relaxed) }
    var errors: Int { failures.load(ordering: .relaxed) }
    func noteAnswers(_ count: Int) { answers.wrappingAdd(count, ordering: .relaxed) }
    func noteErrors(_ count: Int) { failures.wrappingAdd(count, ordering: .relaxed) }
}
