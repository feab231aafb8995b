import CacheCore
import Hummingbird
import TypedCache

/// Users over HTTP, answered from a typed cache in front of a slow source.
struct UserController: Sendable {
    let users: LoadingCache<Int, User>
    private let source: any UserSource

    init(of source: some UserSource) {
        self.source = source
        var settings = CacheSettings()
        settings.capacity = 50_000
        settings.timeToLive = .seconds(60)
        settings.refreshAfter = .seconds(45)
        settings.staleIfError = .seconds(600)
        settings.loadTimeout = .seconds(2)
        settings.maxLoads = 32
        settings.maxQueuedLoads = 1000
        users = LoadingCache("users", settings: settings) { try await source.user($0) }
    }

    func addRoutes(to router: Router<BasicRequestContext>) {
        router.get("users/:id", use: show)
        router.put("users/:id", use: change)
    }

    /// Requests for the same user at the same time are one question to the source.
    @Sendable private func show(_ request: Request, _ context: BasicRequestContext) async throws -> User {
        let id = try context.parameters.require("id", as: Int.self)
        do {
            guard let user = try await users.get(id) else { throw HTTPError(.notFound) }
            return user
        } catch let error as LoadError {
            // The source is slow or busy, which is neither the client's mistake nor this server's.
            throw HTTPError(error.code == .timedOut ? .gatewayTimeout : .serviceUnavailable)
        }
    }

    /// What was changed at the source is removed here: a load that is under way, and may have read the old name, is kept
    /// for nobody.
    @Sendable private func change(_ request: Request, _ context: BasicRequestContext) async throws -> User {
        let id = try context.parameters.require("id", as: Int.self)
        let user = try await request.decode(as: User.self, context: context)
        try await source.change(id, to: user)
        users.remove(id)
        return user
    }
}

/// A value in the cache is whatever a server has: no bytes, no encoding until a response is made of it.
struct User: ResponseCodable, Sendable, Equatable {
    var name: String
}

/// Where users come from.
protocol UserSource: Sendable {
    /// Nil: there is no such user.
    func user(_ id: Int) async throws -> User?
    func change(_ id: Int, to user: User) async throws
}
