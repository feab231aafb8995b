import CLinux
import Glibc
public import Groundwork
import Synchronization

/// One thread with one epoll: descriptors, timers, and a mailbox that other threads put jobs into.
///
/// A loop owns what is registered with it: such objects are touched on its thread only, and need no lock. ``submit(_:)``,
/// ``start()``, ``stop()`` and ``join()`` may be called from any thread; everything else is for the loop's thread alone.
///
/// A round is: wait, descriptors that are ready, timers that are due, jobs, then the round's end, if something was gathered for it.
public final class EventLoop: @unchecked Sendable {
    // Unchecked: the fields under "loop's thread" are touched on that thread only (debug builds check), the others are
    // immutable or synchronised.

    /// The loop's index among its siblings, from 0.
    public let index: Int

    private let epoll: Int32
    private let wakeup: Int32
    private let alarm: TimerDescriptor
    private let mailbox = Groundwork.Mutex(Mailbox())
    /// Whether the mailbox has jobs: spares the loop its lock in most rounds.
    private let hasMail = Atomic<Bool>(false)
    /// Set by the loop before it waits; whoever clears it writes to `wakeup`. Spares a system call for each job that is
    /// submitted while the loop is awake.
    private let asleep = Atomic<Bool>(false)
    private let thread = Groundwork.Mutex<JoinableThread?>(nil)

    // Loop's thread.
    private var sources = SlotTable<any EventSource>()
    private var timers = TimerQueue()
    private var localJobs: [() -> Void] = []
    /// When the alarm goes off; in the past: it did.
    private var alarmTime = Instant(nanoseconds: 0)
    private var roundEnd: (() -> Bool)?
    /// Whether the round's end has something to do. If it is still so when the loop is about to wait, the loop does not.
    @usableFromInline var hasGathered = false
    private var endsEarly = false
    private var stopping = false

    /// The time when this round's events arrived. Loop's thread only.
    public private(set) var now = Instant.now()

    private struct Mailbox: Sendable {
        var jobs: [@Sendable () -> Void] = []
        var isClosed = false
    }

    /// Opens the loop's epoll, its wake-up descriptor and its alarm.
    public init(index: Int = 0) throws(SystemError) {
        self.index = index
        alarm = try TimerDescriptor()
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw SystemError("epoll_create1", code: errno) }
        wakeup = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard wakeup >= 0 else {
            let code = errno
            close(epoll)
            throw SystemError("eventfd", code: code)
        }
        // Edge-triggered: each write wakes the loop once, and each time that the alarm was set for; counters never need to be
        // read.
        for (descriptor, token) in [(wakeup, UInt64.max), (alarm.descriptor, Self.alarmToken)] {
            var event = pgs_epoll_event(pgs_epollin | EPOLLET.rawValue, token)
            epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
        }
    }

    deinit {
        close(epoll)
        close(wakeup)
    }

    // MARK: Any thread

    /// The loop whose thread this is.
    public static var current: EventLoop? { CurrentLoop.get() }

    /// Whether the caller is on the loop's thread.
    public var isCurrent: Bool { CurrentLoop.get() === self }

    /// Runs `job` on the loop's thread, after the jobs submitted before it from the same thread. A job submitted after the
    /// loop stopped is dropped.
    public func submit(_ job: @escaping @Sendable () -> Void) {
        if isCurrent {
            localJobs.append(job)
            return
        }
        mailbox.withLock { mailbox in
            guard !mailbox.isClosed else { return }
            mailbox.jobs.append(job)
            hasMail.store(true, ordering: .sequentiallyConsistent)
        }
        wake()
    }

    /// Starts the loop's thread, unless it was started. False when the system gives none.
    @discardableResult
    public func start() -> Bool {
        thread.withLock { thread in
            if thread == nil { thread = JoinableThread { [self] in run() } }
            return thread != nil
        }
    }

    /// Lets the loop end after the round it is in.
    public func stop() {
        submit { [self] in stopping = true }
    }

    /// Waits until the loop's thread ended. Not to be called on the loop's thread.
    public func join() {
        thread.withLock { $0.take() }?.join()
    }

    private func wake() {
        guard asleep.exchange(false, ordering: .sequentiallyConsistent) else { return }
        var one: UInt64 = 1
        _ = write(wakeup, &one, 8)
    }

    // MARK: Loop's thread

    /// Watches `descriptor` for `interest` on behalf of `source`, which the loop keeps alive until ``deregister(_:)``.
    public func register(
        _ descriptor: Int32, for interest: Readiness, source: any EventSource
    ) throws(SystemError) -> Registration {
        assert(isCurrent)
        let registration = Registration(descriptor: descriptor, token: sources.nextToken)
        var event = pgs_epoll_event(interest.rawValue, registration.token)
        guard epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
            throw SystemError("epoll_ctl", code: errno)
        }
        sources.insert(source)
        return registration
    }

    /// Changes what a registration waits for.
    public func update(_ registration: Registration, for interest: Readiness) {
        assert(isCurrent)
        guard sources[registration.token] != nil else { return }
        var event = pgs_epoll_event(interest.rawValue, registration.token)
        epoll_ctl(epoll, EPOLL_CTL_MOD, registration.descriptor, &event)
    }

    /// Stops watching. To be called before the descriptor is closed.
    public func deregister(_ registration: Registration) {
        assert(isCurrent)
        guard sources[registration.token] != nil else { return }
        var unused = pgs_epoll_event(0, 0)
        epoll_ctl(epoll, EPOLL_CTL_DEL, registration.descriptor, &unused)
        // Only now, since the source may close the descriptor as it goes.
        _ = sources.remove(registration.token)
    }

    /// Runs `job` at `deadline`, or in the next round when that has passed.
    @discardableResult
    public func schedule(at deadline: Instant, _ job: @escaping () -> Void) -> Timer {
        assert(isCurrent)
        return timers.schedule(at: deadline, job)
    }

    /// Forgets a scheduled job; does nothing when it ran already.
    public func cancel(_ timer: Timer) {
        assert(isCurrent)
        timers.cancel(timer)
    }

    /// Runs `job` after the event that is being served: for what must not happen inside the caller.
    public func enqueue(_ job: @escaping () -> Void) {
        assert(isCurrent)
        localJobs.append(job)
    }

    /// Ends the round with the event that is being served: what it set off is done and sent before the events that came with
    /// it are served. For an event that was long, so that others can go on with what it brought.
    public func endRoundEarly() {
        assert(isCurrent)
        endsEarly = true
    }

    /// Runs `job` at the end of each round for which ``gathers()`` was called, before the loop waits: this is where what a round
    /// gathered is sent. It returns whether it has more to do; then the next round begins without waiting, descriptors get their
    /// turn, and it runs again. A loop has one such job.
    public func atRoundEnd(_ job: @escaping () -> Bool) {
        assert(isCurrent && roundEnd == nil)
        roundEnd = job
    }

    /// Tells that there is something for the job at the round's end.
    @inlinable
    public func gathers() { hasGathered = true }

    /// The loop itself. Returns after ``stop()``.
    private func run() {
        CurrentLoop.set(self)
        defer { CurrentLoop.set(nil) }
        withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: 256) { events in
            while !stopping {
                let count = wait(events)
                now = Instant.now()
                for event in events.prefix(count) {
                    dispatch(event)
                    if endsEarly { endRound() }
                }
                while let job = timers.popDue(at: now) { job() }
                endRound()
            }
        }
        sources = SlotTable()
        roundEnd = nil
        localJobs.removeAll()
        timers = TimerQueue()
        // Dropped outside the lock: what a job holds may submit another one as it goes.
        let late = mailbox.withLock { mailbox in
            mailbox.isClosed = true
            let late = mailbox.jobs
            mailbox.jobs = []
            return late
        }
        _ = consume late
    }

    private func endRound() {
        endsEarly = false
        runJobs()
        if hasGathered { hasGathered = roundEnd?() ?? false }
    }

    private func wait(_ events: UnsafeMutableBufferPointer<epoll_event>) -> Int {
        setAlarm()
        asleep.store(true, ordering: .sequentiallyConsistent)
        // Only after `asleep` is set: whoever submitted a job before that did not write to `wakeup`.
        let busy = hasGathered || !localJobs.isEmpty || hasMail.load(ordering: .sequentiallyConsistent)
        let count = epoll_wait(epoll, events.baseAddress, Int32(events.count), busy ? 0 : -1)
        // Whoever sees it late writes to `wakeup` in vain.
        asleep.store(false, ordering: .relaxed)
        return max(0, Int(count))
    }

    /// Sees to it that the loop wakes for its next timer. A timeout of epoll_wait(2) would have the kernel set a clock and take it
    /// back in each round, for 4 to 7 % of what a hit takes. The alarm is set when none is that comes in time: one that is early,
    /// since its timer was cancelled, costs less than setting it each time.
    private func setAlarm() {
        guard let deadline = timers.nextDeadline() else { return }
        guard alarmTime <= now || alarmTime.nanoseconds - deadline.nanoseconds >= Self.alarmStep else { return }
        // Timers of about the same time have one alarm.
        let steps = deadline.advanced(byNanoseconds: Self.alarmStep - 1).nanoseconds / Self.alarmStep
        alarmTime = Instant(nanoseconds: steps * Self.alarmStep)
        alarm.set(to: alarmTime)
    }

    /// A millisecond: timers are late by up to that.
    private static var alarmStep: Int64 { 1_000_000 }
    /// No source's.
    private static var alarmToken: UInt64 { .max - 1 }

    private func dispatch(_ event: epoll_event) {
        let (token, events) = withUnsafePointer(to: event) { (pgs_epoll_data($0), $0.pointee.events) }
        if let source = sources[token] {
            source.ready(Readiness(rawValue: events))
        } else if token == Self.alarmToken {
            alarmTime = Instant(nanoseconds: 0)
        }
    }

    /// Runs what was submitted up to now; what these jobs submit waits for the next round, so that descriptors get their
    /// turn.
    private func runJobs() {
        if !localJobs.isEmpty {
            let jobs = localJobs
            localJobs = []
            for job in jobs { job() }
        }
        if hasMail.load(ordering: .sequentiallyConsistent) {
            let jobs = mailbox.withLock { mailbox in
                let taken = mailbox.jobs
                mailbox.jobs = []
                hasMail.store(false, ordering: .sequentiallyConsistent)
                return taken
            }
            for job in jobs { job() }
        }
    }
}
