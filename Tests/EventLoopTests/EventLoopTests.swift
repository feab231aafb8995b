import EventLoop
import Foundation
import Groundwork
import Testing

/// Runs `body` on a fresh loop and gives what it hands to its argument, or nil after five seconds.
private func onLoop<T: Sendable>(_ body: @escaping @Sendable (EventLoop, @escaping @Sendable (T) -> Void) -> Void)
    throws
    -> T?
{
    let loop = try EventLoop()
    let done = DispatchSemaphore(value: 0)
    let result = Groundwork.Mutex<T?>(nil)
    let box = ResultBox(result)
    loop.start()
    loop.submit {
        body(loop) { value in
            box.result.withLock { $0 = value }
            done.signal()
        }
    }
    _ = done.wait(timeout: .now() + 120)
    loop.stop()
    loop.join()
    return box.result.withLock { $0 }
}

private final class ResultBox<T: Sendable>: Sendable {
    let result: Groundwork.Mutex<T?>
    init(_ result: consuming Groundwork.Mutex<T?>) { self.result = result }
}

/// Reads what comes and passes it on.
private final class Reader: EventSource {
    let descriptor: Int32
    let received: ([UInt8]) -> Void
    init(_ descriptor: Int32, _ received: @escaping ([UInt8]) -> Void) {
        self.descriptor = descriptor
        self.received = received
    }
    func ready(_ readiness: Readiness) {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        received(Array(bytes.prefix(max(0, count))))
    }
}

@Suite(.timeLimit(.minutes(10)))
struct EventLoopTests {
    @Test func `jobs of one thread run in their order and on the loop's thread`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([Int]) -> Void) in
            let order = ResultBox(Groundwork.Mutex<[Int]?>([]))
            Thread.detachNewThread {
                for index in 0..<1000 {
                    loop.submit { order.result.withLock { $0?.append(loop.isCurrent ? index : -1) } }
                }
                loop.submit { done(order.result.withLock { $0 ?? [] }) }
            }
        }
        #expect(seen == Array(0..<1000))
    }

    @Test func `timers run by deadline and a cancelled one does not`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([Int]) -> Void) in
            var seen: [Int] = []
            loop.schedule(at: loop.now + .milliseconds(20)) {
                seen.append(2)
                done(seen)
            }
            loop.schedule(at: loop.now + .milliseconds(5)) { seen.append(1) }
            let never = loop.schedule(at: loop.now + .milliseconds(1)) { seen.append(0) }
            loop.cancel(never)
        }
        #expect(seen == [1, 2])
    }

    @Test func `a timer that is set later for sooner is not late, and one that is past runs in the next round`() throws
    {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([Int]) -> Void) in
            var seen: [Int] = []
            let begin = Instant.now()
            loop.schedule(at: begin + .seconds(100)) { done([]) }
            loop.enqueue {
                // By now the loop has waited for the first one.
                loop.enqueue {
                    loop.schedule(at: begin + .seconds(-1)) {
                        seen.append(1)
                        loop.schedule(at: loop.now + .milliseconds(3)) {
                            seen.append(2)
                            // As long after as an alarm of the last one would have been.
                            loop.schedule(at: loop.now + .milliseconds(3)) { done(seen + [3]) }
                        }
                    }
                }
            }
        }
        #expect(seen == [1, 2, 3])
    }

    @Test func `a timer is not held up by those before it that were cancelled`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable (Bool) -> Void) in
            let deadline = Instant.now() + .milliseconds(30)
            let cancelled = (1..<30).map { loop.schedule(at: deadline + .milliseconds(-$0)) { done(false) } }
            loop.schedule(at: deadline) { done(Instant.now() >= deadline) }
            // The alarm was set for the first of them meanwhile.
            loop.enqueue { loop.enqueue { for timer in cancelled { loop.cancel(timer) } } }
        }
        #expect(seen == true)
    }

    @Test func `the round's end comes for what was gathered, and again for what it leaves, but not without`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([String]) -> Void) in
            var seen: [String] = []
            var left = 0
            loop.atRoundEnd {
                seen.append("end")
                left -= 1
                return left > 0
            }
            loop.enqueue {
                seen.append("round")
                loop.enqueue {
                    seen.append("round that gathers")
                    left = 3
                    loop.gathers()
                    // After more rounds than the end is called in.
                    loop.schedule(at: loop.now + .milliseconds(5)) { done(seen) }
                }
            }
        }
        #expect(seen == ["round", "round that gathers", "end", "end", "end"])
    }

    @Test func `a registered descriptor tells when it can be read`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([UInt8]) -> Void) in
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            let reader = Reader(ends[0]) { done($0) }
            _ = try? loop.register(ends[0], for: .readable, source: reader)
            _ = write(ends[1], "hi", 2)
        }
        #expect(seen == Array("hi".utf8))
    }

    @Test func `an event for a registration dropped in the same round does not reach its successor`()
        throws
    {
        let seen = try onLoop { (loop, done: @escaping @Sendable (Int) -> Void) in
            var first: [Int32] = [0, 0]
            var second: [Int32] = [0, 0]
            pipe(&first)
            pipe(&second)
            var registrations: [Registration] = []
            var calls = 0
            // Both become readable in one round. Whoever runs first drops the other one and registers an idle
            // descriptor in its place, which must hear nothing.
            let drop: (Int, Int32) -> Void = { other, descriptor in
                calls += 1
                loop.deregister(registrations[other])
                var idle: [Int32] = [0, 0]
                pipe(&idle)
                _ = try? loop.register(idle[0], for: .readable, source: Reader(idle[0]) { _ in calls += 100 })
                loop.enqueue { loop.enqueue { done(calls) } }
            }
            let firstEnd = first[0]
            let secondEnd = second[0]
            registrations = [
                try? loop.register(firstEnd, for: .readable, source: Reader(firstEnd) { _ in drop(1, secondEnd) }),
                try? loop.register(secondEnd, for: .readable, source: Reader(secondEnd) { _ in drop(0, firstEnd) }),
            ].compactMap { $0 }
            _ = write(first[1], "x", 1)
            _ = write(second[1], "x", 1)
        }
        #expect(seen == 1)
    }

    @Test func `jobs from many threads wake a sleeping loop and none is lost`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable (Int) -> Void) in
            let count = ResultBox(Groundwork.Mutex<Int?>(0))
            for _ in 0..<4 {
                Thread.detachNewThread {
                    for _ in 0..<5000 {
                        loop.submit {
                            let now = count.result.withLock { value in
                                value = (value ?? 0) + 1
                                return value ?? 0
                            }
                            if now == 20000 { done(now) }
                        }
                    }
                }
            }
        }
        #expect(seen == 20000)
    }

    @Test func `a round that is ended early ends before the events that came with it are served`() throws {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([String]) -> Void) in
            var seen: [String] = []
            var byte: UInt8 = 1
            for _ in 0..<2 {
                var ends: [Int32] = [0, 0]
                pipe(&ends)
                let reader = Reader(ends[0]) { [ends] _ in
                    seen.append("event")
                    loop.enqueue { seen.append("job") }
                    loop.endRoundEarly()
                    if seen.count > 1 { loop.enqueue { done(seen) } }
                    close(ends[0])
                    close(ends[1])
                }
                _ = try? loop.register(ends[0], for: .readable, source: reader)
                // Both can be read before the loop waits: they come in one round.
                write(ends[1], &byte, 1)
            }
        }
        #expect(seen == ["event", "job", "event", "job"])
    }

    @Test func `who asked to be told once is told of what is there, of what comes, and again when it asks anew`() throws
    {
        let seen = try onLoop { (loop, done: @escaping @Sendable ([Int]) -> Void) in
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            let (out, into) = (ends[0], ends[1])
            func put(_ count: Int) { _ = write(into, [UInt8](repeating: 0, count: count), count) }
            // It reads 64 bytes each time, and leaves the rest.
            var counts: [Int] = []
            put(100)
            guard
                let registration = try? loop.register(
                    out, for: [.readable, .once], source: Reader(out) { counts.append($0.count) })
            else { return }
            inRounds(
                of: loop,
                [
                    { put(1) }, { put(200) }, {}, { loop.update(registration, for: [.readable, .once]) },
                    { loop.update(registration, for: .readable) }, {}, { done(counts) },
                ])
        }
        #expect(seen == [64, 37, 64, 64, 64, 8])
    }
}

/// Runs each step at the end of a round, one after the other.
private func inRounds(of loop: EventLoop, _ steps: [() -> Void]) {
    guard let step = steps.first else { return }
    loop.enqueue {
        step()
        inRounds(of: loop, Array(steps.dropFirst()))
    }
}
