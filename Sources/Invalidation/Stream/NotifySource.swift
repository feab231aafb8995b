import EventLoop
import Groundwork
import Logging
import Postgres

/// What triggers notify, over a listening connection.
final class NotifySource: ChangeSource, ListeningConnectionOwner, @unchecked Sendable {
    // Unchecked: it is touched on the stream's loop only; what makes a connection on another thread hands it back there.
    private let settings: DatabaseSettings
    private let loads: DatabaseSettings
    private let channel: String
    private let loop: EventLoop
    private unowned let owner: any ChangeSourceOwner
    private var connection: ListeningConnection?
    /// Counts connections, to know one that was let go of while it was being made.
    private var attempt = 0

    /// - Parameters:
    ///   - settings: The way to the server that is listened to.
    ///   - loads: Where loads go.
    init(
        _ settings: DatabaseSettings, loads: DatabaseSettings, channel: String, on loop: EventLoop,
        owner: any ChangeSourceOwner
    ) {
        self.settings = settings
        self.loads = loads
        self.channel = channel
        self.loop = loop
        self.owner = owner
    }

    func connect() {
        attempt += 1
        let attempt = attempt
        let isStarted = ListeningConnection.connect(settings, loads: loads, channel: channel, on: loop, owner: self) {
            [self] result in
            switch result {
            case .success(let connection) where attempt == self.attempt:
                self.connection = connection
                owner.opened()
            case .success(let connection): connection.close()
            case .failure(let error): if attempt == self.attempt { owner.lost("\(error)") }
            }
        }
        if !isStarted { loop.enqueue { [self] in owner.lost("no thread to connect on") } }
    }

    func beat() {
        connection?.sendEcho()
    }

    func close() {
        attempt += 1
        connection?.close()
        connection = nil
    }

    // MARK: What the connection tells

    func connectionIsProven() { owner.proven() }

    func connectionIsAlive() { owner.heard() }

    func connectionHeard(_ payload: RawSpan) {
        switch NotifyPayload(payload.withUnsafeBytes { Array($0) }) {
        case .change(let change): owner.changed(change)
        case .unreadable: owner.misread()
        case .foreign: owner.misheard()
        }
    }

    func connectionEchoed(_ position: LogPosition) {
        owner.told(upTo: position)
        owner.beatAnswered()
    }

    func connectionLost(_ reason: String) { owner.lost(reason) }
}
