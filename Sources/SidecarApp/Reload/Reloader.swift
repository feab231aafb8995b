import Logging
import Postgres
import Server

/// Reads the settings anew when somebody asks, one time after the other.
actor Reloader {
    private let source: ReloadSource?
    private let logger: Logger
    private var parts: Wiring?
    private var running: Task<Operations.Answer, Never>?
    private var waiting: Task<Operations.Answer, Never>?
    private var retiring: Task<Void, Never>?
    private var hasEnded = false

    /// Without a source there is nothing to read.
    init(_ source: ReloadSource?, logger: Logger) {
        self.source = source
        self.logger = logger
    }

    /// From now on it can be asked.
    func begin(_ parts: Wiring) {
        self.parts = parts
    }

    /// Waits for what is under way; nothing begins any more.
    func end() async {
        hasEnded = true
        _ = await running?.value
    }

    /// What clients may ask for.
    nonisolated var reloading: Operations.Operation {
        { [self] done in Task { done(await reload()) } }
    }

    /// What clients may ask for, too: database connections that are made anew.
    nonisolated var reconnection: Operations.Operation {
        { [self] done in Task { done(await reconnect()) } }
    }

    private func reconnect() async -> Operations.Answer {
        guard let database = parts?.live.database, !hasEnded else {
            return .failure(OperationError("pgsidecar is starting or ending"))
        }
        if let reason = await database.reconnect() {
            return .failure(OperationError("not all connections were made anew, the others stay: \(reason)"))
        }
        return .success("\(database.status.connectionsReady) connections were made anew")
    }

    /// Reads the settings and has them in force when it returns; or says what is wrong with them, and all is as it was.
    @discardableResult
    func reload() async -> Operations.Answer {
        // One that is under way may have read what is not there any more. So one follows, for all who ask meanwhile.
        if let waiting { return await waiting.value }
        guard let running else { return await perform() }
        let next = Task {
            _ = await running.value
            return await perform()
        }
        waiting = next
        return await next.value
    }

    private func perform() async -> Operations.Answer {
        let task = Task { await readAndApply() }
        running = task
        waiting = nil
        let answer = await task.value
        if running == task { running = nil }
        return answer
    }

    private func readAndApply() async -> Operations.Answer {
        guard let source else { return .failure(OperationError("there is no settings file to read again")) }
        guard let parts, !hasEnded else { return .failure(OperationError("pgsidecar is starting or ending")) }
        ServiceNotification.reloading.send()
        defer { ServiceNotification.ready.send() }
        // Never more than two databases' connections at a time.
        await retiring?.value
        do {
            let (report, predecessor) = try await Reload(parts: parts, source: source, logger: logger).run()
            if let predecessor { retire(predecessor, parts.live) }
            parts.reloads.succeeded(waitingForRestart: report.change.fixed)
            logger.notice("settings read again", metadata: ["result": "\(report.text)"])
            return .success(report.text)
        } catch {
            let text = "\(error)"
            parts.reloads.failed(text)
            for line in text.split(separator: "\n") {
                logger.error("the settings stay as they were", metadata: ["mistake": "\(line)"])
            }
            return .failure(OperationError("the settings stay as they were: \(text)"))
        }
    }

    private func retire(_ database: Database, _ live: Live) {
        retiring = Task {
            await database.retire()
            live.retired(database)
        }
    }
}
