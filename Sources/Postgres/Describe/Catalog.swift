import Groundwork

/// What the server said about every getter, once it was asked.
final class Catalog: Sendable {
    private enum State {
        case open
        /// Some thread asks; it gives the claim back when it fails.
        case claimed
        case described([GroupDescription])
    }

    private let state = Groundwork.Mutex(State.open)

    /// The descriptions; nil while no connection could be made.
    var descriptions: [GroupDescription]? {
        state.withLock { state in
            switch state {
            case .open, .claimed: nil
            case .described(let descriptions): descriptions
            }
        }
    }

    /// Asks on `connection`, unless that was done before or is being done on another one.
    func describeOnce(_ context: DatabaseContext, on connection: borrowing PQConnection) throws(ConnectError) {
        let isOurs = state.withLock { state in
            guard case .open = state else { return false }
            state = .claimed
            return true
        }
        guard isOurs else { return }
        do throws(ConnectError) {
            let descriptions = try Self.describe(context, on: connection)
            state.withLock { $0 = .described(descriptions) }
        } catch {
            state.withLock { $0 = .open }
            throw error
        }
    }

    /// Asks on `connection`, and tells each getter what concerns it.
    static func describe(
        _ context: DatabaseContext, on connection: borrowing PQConnection
    ) throws(ConnectError) -> [GroupDescription] {
        let session = DescribeSession(timeout: context.settings.firstAnswersTimeout)
        let descriptions = try session.describe(context.getters, on: connection)
        for (getter, description) in zip(context.getters, descriptions) {
            let refused = description.mistake?.part
            getter.setDegraded(refused == .query)
            if refused != .query { getter.setBatchRefused(refused == .batch) }
            if refused == nil { getter.describe(as: description) }
            if !getter.keyedBy.isEmpty { context.publish(description.keys, of: getter) }
        }
        return descriptions
    }
}
