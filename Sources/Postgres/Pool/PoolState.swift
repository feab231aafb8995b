import Groundwork

/// When a pool connects: a state machine without I/O or clock. Each transition returns what is to be done.
///
/// All missing connections are opened at once at the start and whenever one attempt succeeded; after a failure or a loss
/// one attempt at a time is made, later and later. So a database that returns is not met by every connection at once, and
/// one that has no more connections to give is asked for one now and then while the pool works with what it got.
struct PoolState {
    /// What the pool is to do.
    enum Action: Equatable {
        case nothing
        /// Start this many attempts.
        case connect(Int)
        /// Call ``retryDue()`` after this time.
        case retry(after: Duration)
    }

    /// How the last attempt that ended went, which tells what a load without a connection can expect.
    private enum LastAttempt {
        /// None ended yet, or a connection was lost since: one can be expected soon.
        case none
        case succeeded
        case failed
    }

    /// A connection that lasted less than this counts as a failure, so that one that is closed as soon as it is made is not
    /// made over and over.
    static let shortLife = Duration.seconds(1)

    /// How many connections there should be.
    let share: Int
    private(set) var ready = 0
    private(set) var connecting = 0
    private var lastAttempt = LastAttempt.none
    private var failuresInARow = 0
    private var waitsToRetry = false
    private var isClosed = false
    private var backoff = Backoff()

    init(share: Int) {
        self.share = share
    }

    /// Whether it was closed.
    var hasEnded: Bool { isClosed }

    /// Whether no connection is there and none can be expected soon.
    var isDown: Bool {
        guard ready == 0 else { return false }
        return switch lastAttempt {
        case .none, .succeeded: false
        case .failed: true
        }
    }

    mutating func start() -> Action {
        connectMissing()
    }

    mutating func connected() -> Action {
        connecting -= 1
        ready += 1
        lastAttempt = .succeeded
        return connectMissing()
    }

    mutating func attemptFailed() -> Action {
        connecting -= 1
        lastAttempt = .failed
        failuresInARow += 1
        return retryLater()
    }

    mutating func lost(after life: Duration) -> Action {
        ready -= 1
        lastAttempt = .none
        failuresInARow = life < Self.shortLife ? failuresInARow + 1 : 0
        return retryLater()
    }

    /// One is to be made though none is missing, in the place of another.
    mutating func renew() -> Action {
        guard !isClosed, connecting == 0, ready >= share, share > 0 else { return .nothing }
        connecting += 1
        return .connect(1)
    }

    /// One that worked was closed by us, so there is nothing to wait for.
    mutating func gaveUp() -> Action {
        ready -= 1
        return connectMissing()
    }

    mutating func retryDue() -> Action {
        waitsToRetry = false
        guard !isClosed, ready + connecting < share else { return .nothing }
        connecting += 1
        return .connect(1)
    }

    mutating func close() {
        isClosed = true
        ready = 0
    }

    private mutating func connectMissing() -> Action {
        let missing = share - ready - connecting
        guard !isClosed, !waitsToRetry, missing > 0 else { return .nothing }
        connecting += missing
        return .connect(missing)
    }

    private mutating func retryLater() -> Action {
        guard !isClosed, !waitsToRetry, ready + connecting < share else { return .nothing }
        waitsToRetry = true
        return .retry(after: backoff.delay(afterFailures: failuresInARow))
    }
}
