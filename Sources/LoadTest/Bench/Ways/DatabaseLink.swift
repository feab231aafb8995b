import CacheCore
import EventLoop
import Postgres

/// A way's connection to the database, which can be made anew when it is lost. On its loop's thread only.
///
/// Unchecked: connecting hands it through another thread.
final class DatabaseLink: GetterConnectionOwner, @unchecked Sendable {
    private let database: DatabaseSettings
    private let query: GetterQuery
    private let keepsValues: Bool
    private let loop: EventLoop
    /// Who is told of answers, and of a loss.
    weak var owner: (any GetterConnectionOwner)?
    /// Nil while there is no connection.
    private var link: GetterConnection?
    private var isConnecting = false
    private var isClosed = false

    /// For a query, of which answers have the values if it `keepsValues`. Connects when it is told to.
    init(_ database: DatabaseSettings, _ query: GetterQuery, keepsValues: Bool, on loop: EventLoop) {
        (self.database, self.query, self.keepsValues, self.loop) = (database, query, keepsValues, loop)
    }

    /// Connects, unless it is connected; `completion` is told when that is done, with the reason when it could not.
    func connect(_ completion: @escaping @Sendable ((any Error)?) -> Void = { _ in }) {
        guard link == nil, !isConnecting, !isClosed else { return }
        isConnecting = true
        let hasThread = GetterConnection.connect(database, query, keepsValues: keepsValues, on: loop, owner: self) {
            [weak self] opened in
            do {
                let link = try opened.get()
                guard let self, !isClosed else { return link.close() }
                isConnecting = false
                self.link = link
                completion(nil)
            } catch {
                self?.isConnecting = false
                completion(error)
            }
        }
        guard !hasThread else { return }
        isConnecting = false
        completion(BenchError.noThread)
    }

    /// Whether it can be asked.
    var isConnected: Bool { link != nil }

    /// Asks for keys, behind what was asked before. While there is no connection it does nothing.
    func ask(_ keys: [Key]) { link?.ask(keys) }

    /// Closes it for good; its owner is told nothing more.
    func close() {
        isClosed = true
        link?.close()
        link = nil
    }

    func connection(_ connection: GetterConnection, answered answer: consuming GetterConnection.Answer) {
        owner?.connection(connection, answered: answer)
    }

    func connection(_ connection: GetterConnection, lost reason: String) {
        link = nil
        owner?.connection(connection, lost: reason)
    }
}
