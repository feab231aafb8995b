import EventLoop
import Groundwork

/// The generator: loops on threads of their own, each with its share of the connections and of the rate.
final class Generator: Sendable {
    private let loops: [EventLoop]
    private let loads: [LoadLoop]

    private init(loops: [EventLoop], loads: [LoadLoop]) {
        (self.loops, self.loads) = (loops, loads)
    }

    /// Opens all connections.
    ///
    /// - Parameter plan: What a loop asks, by its index among so many.
    /// - Throws: `BenchError` with the first reason why a connection could not be opened.
    static func connect(
        by route: Route, connections: Int, threads: Int, _ plan: (_ index: Int, _ count: Int) -> LoadPlan
    ) async throws -> Generator {
        let threads = max(1, min(threads, connections))
        var loops: [EventLoop] = []
        var loads: [LoadLoop] = []
        do {
            for index in 0..<threads {
                let loop = try EventLoop(index: index)
                guard loop.start() else { throw BenchError.noThread }
                loops.append(loop)
                let count = connections / threads + (index < connections % threads ? 1 : 0)
                loads.append(try await open(plan(index, threads), by: route, connections: count, on: loop))
            }
        } catch {
            for loop in loops { loop.stop() }
            throw BenchError(.unavailable, "\(route.way): \(error)")
        }
        return Generator(loops: loops, loads: loads)
    }

    private static func open(
        _ plan: LoadPlan, by route: Route, connections: Int, on loop: EventLoop
    ) async throws -> LoadLoop {
        try await withCheckedThrowingContinuation { continuation in
            loop.submit {
                let load: LoadLoop
                do {
                    load = try LoadLoop(plan, on: loop)
                } catch {
                    return continuation.resume(throwing: error)
                }
                // On the loop's thread alone, as each completion is.
                let opening = Groundwork.Mutex((due: connections, failure: (any Error)?.none))
                let shape = RequestShape(width: plan.width)
                for _ in 0..<connections {
                    route.open(on: load, shape: shape) { failure in
                        let isLast = opening.withLock { opening in
                            opening.due -= 1
                            opening.failure = opening.failure ?? failure
                            return opening.due == 0
                        }
                        guard isLast else { return }
                        if let failure = opening.withLock({ $0.failure }) {
                            continuation.resume(throwing: failure)
                        } else {
                            continuation.resume(returning: load)
                        }
                    }
                }
            }
        }
    }

    /// Asks, and returns what all loops measured together. To be called once; everything is closed then.
    func run(_ times: RunTimes) async -> Recorder {
        var whole = Recorder(from: times.start, until: times.end, intervalCount: times.intervalCount)
        await withTaskGroup(of: Recorder.self) { group in
            for (loop, load) in zip(loops, loads) {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        loop.submit { load.run(times) { continuation.resume(returning: $0) } }
                    }
                }
            }
            for await part in group { whole.add(part) }
        }
        for loop in loops {
            loop.stop()
            loop.join()
        }
        return whole
    }
}
