import Postgres

/// Where a way leads, and what is asked there.
enum Route: Sendable {
    case sidecar(ServerAddress)
    case database(DatabaseSettings, GetterQuery)
    case redis(CacheAsideConnection.Route)

    var way: Way {
        switch self {
        case .sidecar: .sidecar
        case .database: .database
        case .redis: .redis
        }
    }

    /// Opens a connection on a loop's thread. `completion` is told when it can be used, with the reason when it can't.
    func open(
        on owner: LoadLoop, shape: RequestShape, completion: @escaping @Sendable ((any Error)?) -> Void
    ) {
        do throws(ConnectionError) {
            switch self {
            case .sidecar(let server):
                owner.add(try SidecarConnection(server, shape: shape, owner: owner))
                completion(nil)
            case .database(let database, let query):
                owner.add(DatabaseConnection(database, query, owner: owner, completion: completion))
            case .redis(let route):
                owner.add(try CacheAsideConnection(route, shape: shape, owner: owner, completion: completion))
            }
        } catch {
            completion(error)
        }
    }
}
