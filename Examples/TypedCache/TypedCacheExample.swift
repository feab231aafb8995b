import TypedCache

/// Users by number from a slow source, held as they are: loaded once, answered from memory, gone when the source says so.
@main
enum TypedCacheExample {
    static func main() async throws {
        let directory = UserDirectory()
        var settings = CacheSettings()
        settings.capacity = 50_000
        settings.timeToLive = .seconds(60)
        settings.refreshAfter = .seconds(45)
        let users = LoadingCache("users", settings: settings) { try await directory.user($0) }

        // A hundred requests at once: one query.
        try await withThrowingTaskGroup(of: Void.self) { requests in
            for _ in 0..<100 { requests.addTask { _ = try await users.get(7) } }
            try await requests.waitForAll()
        }
        print("user 7 is \(try await name(users.get(7))), queries: \(await directory.queries)")

        // "There is none" is an answer too, and is kept for a shorter time.
        print("user 8 is \(try await name(users.get(8))), queries: \(await directory.queries)")
        print("user 8 is \(try await name(users.get(8))), queries: \(await directory.queries)")

        // Who changes the source says so, and the next caller loads.
        await directory.rename(7, to: "Grace")
        users.remove(7)
        print("user 7 is \(try await name(users.get(7))), queries: \(await directory.queries)")

        // What is known already need not be loaded. This one leaves after a second, without anyone asking.
        users.insert(User(name: "Edsger"), for: 9, lifespan: Lifespan(timeToLive: .seconds(1))) {
            print("\($0.name) has left")
        }
        print("user 9 is \(try await name(users.get(9))), queries: \(await directory.queries)")
        try await Task.sleep(for: .seconds(2))
        print("in memory: \(users.keys), asked for most: \(users.mostAccessed(1))")
    }

    private static func name(_ user: User?) -> String { user?.name ?? "nobody" }
}

/// Anything Sendable can be a value.
struct User: Sendable {
    let name: String
}

/// Stands for a database.
actor UserDirectory {
    private var names = [7: "Ada"]
    private(set) var queries = 0

    func user(_ number: Int) async throws -> User? {
        queries += 1
        try await Task.sleep(for: .milliseconds(100))
        return names[number].map { User(name: $0) }
    }

    func rename(_ number: Int, to name: String) {
        names[number] = name
    }
}
