import CacheCore
import EventLoop
import Groundwork
import Logging

extension ConnectionPool {
    func act(on action: PoolState.Action) {
        switch action {
        case .nothing: break
        case .connect(let count):
            for _ in 0..<count { connect() }
        case .retry(let delay):
            retryTimer = loop.schedule(at: loop.now + delay) { [weak self] in
                guard let self else { return }
                retryTimer = nil
                act(on: state.retryDue())
            }
        }
        publish()
    }

    private func connect() {
        let seat = seat
        let began = loop.now
        let isStarted = seat.loop.offload { [context] () throws(ConnectError) in
            let session = try Session.open(context)
            try context.catalog.describeOnce(context, on: session.link)
            return session
        } completion: { opened in
            seat.pool?.attemptEnded(opened, began: began)
        }
        if !isStarted {
            loop.enqueue { [weak self] in self?.attemptFailed("no thread to connect on") }
        }
    }

    private func attemptEnded(_ opened: consuming Result<Session, ConnectError>, began: Instant) {
        do {
            let session = try opened.get()
            let version = session.link.serverVersion
            let (host, process) = (session.link.host, session.link.backendProcess)
            connections.append(try DatabaseConnection(session, on: loop, context: context, owner: self))
            context.counters.noteConnected()
            context.firstConnection.came()
            context.circuit.sourceAnswered(at: loop.now)
            context.logger.info(
                "database connection ready",
                metadata: ["server": "\(version)", "host": "\(host)", "backend": "\(process)"])
            if let before = context.hosts.goes(to: host) {
                context.logger.notice(
                    "database connections go to another host", metadata: ["from": "\(before)", "to": "\(host)"])
            }
            act(on: state.connected())
            renewalCame()
            reconsiderQueue()
            fetchWork()
        } catch let error as ConnectError where error.isRefusal {
            context.circuit.sourceAnswered(at: loop.now)
            attemptFailed("\(error)")
        } catch {
            context.circuit.sourceWasSilent(since: began, at: loop.now)
            attemptFailed("\(error)")
        }
    }

    private func attemptFailed(_ text: String) {
        context.counters.noteFailure(text)
        context.firstConnection.failed(text, of: context.settings.connections)
        context.logger.warning("no database connection", metadata: ["reason": "\(text)"])
        act(on: state.attemptFailed())
        renewalFailed(text)
        if state.isDown { reconsiderQueue() }
    }

    /// Shows others what this loop's thread knows.
    func publish() {
        seat.publish(ready: state.ready, connecting: state.connecting)
    }
}
