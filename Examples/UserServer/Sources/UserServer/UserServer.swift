import Hummingbird
import TypedCache

/// `swift run UserServer`, and then `curl http://127.0.0.1:8080/users/7`.
@main
enum UserServer {
    static func main() async throws {
        let router = Router()
        UserController(of: SlowSource()).addRoutes(to: router)
        try await Application(router: router, configuration: .init(address: .hostname("127.0.0.1", port: 8080)))
            .runService()
    }
}

/// Stands for a database that takes its time.
actor SlowSource: UserSource {
    private var users = [7: User(name: "Ada")]

    func user(_ id: Int) async throws -> User? {
        try await Task.sleep(for: .milliseconds(500))
        return users[id]
    }

    func change(_ id: Int, to user: User) {
        users[id] = user
    }
}
