import EventLoop
import Glibc
import Groundwork
import Postgres
import PrivateDatabase

/// One run under way.
struct VerificationRun {
    private let options: Verification.Options
    private let postgres: PrivatePostgres
    private let folder: String
    private let say: @Sendable (String) -> Void
    private let ledger: Ledger
    private let progress: Progress

    init(
        _ options: Verification.Options, _ postgres: PrivatePostgres, in folder: String,
        say: @escaping @Sendable (String) -> Void
    ) {
        self.options = options
        self.postgres = postgres
        self.folder = Folder.resolved(folder)
        self.say = say
        ledger = Ledger(keyCount: options.keys, bound: options.bound, isPresent: Subject.isPresentAtFirst)
        progress = Progress(reads: options.reads, writes: options.writes)
    }

    private var url: Secret { Secret(postgres.url) }

    func run(program: String) async throws -> Report {
        _ = try await postgres.psql(Subject.schema(keyCount: options.keys))
        let settings = settings
        if options.source != .none { try await SidecarProcess.install(program, settings: settings, in: folder) }
        let sidecar = try await SidecarProcess(program, settings: settings, in: folder)
        do {
            let count = try await readAndWrite(sidecar)
            await sidecar.end()
            return Report(ledger, progress, inMemory: count)
        } catch {
            await sidecar.end()
            throw error
        }
    }

    // MARK: Before

    private var settings: String {
        """
        database: { url: '\(postgres.url)' }
        memory: \(options.memory)
        defaults: { ttl: 0, negative_ttl: 1h, load_timeout: \(options.breaks ? 5 : 30)s\(onChange) }
        \(invalidation)\(Subject.groups(isTold: options.source != .none, isMislabelled: options.sabotage == .mislabel))
        """
    }

    private var onChange: String { options.reloads && options.source != .none ? ", on_change: reload" : "" }

    private var invalidation: String {
        options.source == .none ? "" : "invalidation: { source: \(options.source.rawValue), heartbeat: 1s }\n"
    }

    // MARK: Reading and writing

    private func readAndWrite(_ sidecar: SidecarProcess) async throws -> Int {
        let teller =
            options.source == .none
            ? Teller(
                socket: sidecar.socket, isEarly: options.sabotage == .early, isForgetful: options.sabotage == .forget)
            : nil
        let plan = Writer.Plan(
            url: url, ledger: ledger, writers: options.writers, seed: options.seed, teller: teller,
            isSilent: options.sabotage == .silent, progress: progress)
        let writers = (0..<options.writers).map { Writer($0, plan) }
        let readers = try ReaderLoop(
            readers: options.readers,
            Reader.Plan(
                socket: sidecar.socket, ledger: ledger, progress: progress, depth: options.depth, seed: options.seed,
                spellsKeysOut: options.source != .none, toleratesErrors: options.breaks))
        defer { readers.stop() }
        do {
            try await watch(sidecar, writers)
            // What is kept from now on is not flushed by a loss any more, and has to be right at last.
            try await Task.sleep(for: .seconds(2))
            progress.stopWriting()
            try await settle { writers.allSatisfy(\.isDone) }
            if let failure = writers.lazy.compactMap(\.failure).first { throw VerificationError(failure) }
            try await Task.sleep(for: .seconds(1))
            progress.stopAll()
            try await settle { readers.isDone }
        } catch {
            progress.stopAll()
            throw error
        }
        return try await LastLook(ledger, url: url, socket: sidecar.socket, options).look()
    }

    /// Breaks things and tells how far it is, until enough was read and written.
    private func watch(_ sidecar: SidecarProcess, _ writers: [Writer]) async throws {
        var injector = FaultInjector(postgres, url: url)
        var faults = FaultInjector.Fault.allCases[...]
        var told = Instant.now()
        var seconds = 0
        var begun = (reads: 0, writes: 0)
        while !progress.isEnough {
            try await Task.sleep(for: .milliseconds(250))
            if let failure = writers.lazy.compactMap(\.failure).first { throw VerificationError(failure) }
            guard sidecar.isRunning else { throw VerificationError("pgsidecar ended; see \(sidecar.log)") }
            let now = Instant.now()
            guard now - told >= .seconds(1) else { continue }
            let (reads, writes) = (progress.readCount, progress.writeCount)
            say(
                """
                \(reads) reads (\(reads - begun.reads)/s), \(writes) writes (\(writes - begun.writes)/s), \
                stale \(progress.staleReadCount), errors \(progress.errorCount), found \(ledger.findings.counts.values.reduce(0, +))
                """)
            (told, begun) = (now, (reads, writes))
            seconds += 1
            // Every other second: between two of them entries are kept again.
            guard options.breaks, seconds % 2 == 0, let fault = faults.popFirst() else { continue }
            try await injector.inject(fault)
            if faults.isEmpty { faults = FaultInjector.Fault.allCases[...] }
        }
        if options.breaks {
            say(
                "broken meanwhile: "
                    + injector.counts.map { "\($0.value) times \($0.key)" }.sorted().joined(separator: ", "))
        }
    }

    private func settle(_ isDone: () -> Bool) async throws {
        let deadline = Instant.now() + .seconds(60)
        while !isDone() {
            guard Instant.now() < deadline else {
                return ledger.note(.unanswered, "a reader or a writer has waited for a minute")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

/// The loop on which all readers ask.
private final class ReaderLoop: Sendable {
    private let loop: EventLoop
    private let left: Groundwork.Mutex<Int>

    init(readers: Int, _ plan: Reader.Plan) throws {
        loop = try EventLoop()
        left = Groundwork.Mutex(readers)
        guard loop.start() else { throw VerificationError("the system gives no thread") }
        loop.submit { [self] in
            for index in 0..<readers {
                do {
                    try Reader.start(index, plan, on: loop) { self.left.withLock { $0 -= 1 } }
                } catch {
                    plan.ledger.note(.unanswered, "reader \(index): \(error)")
                    left.withLock { $0 -= 1 }
                }
            }
        }
    }

    var isDone: Bool { left.withLock { $0 } == 0 }

    func stop() {
        loop.stop()
        loop.join()
    }
}
