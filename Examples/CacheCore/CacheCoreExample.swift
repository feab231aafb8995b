import CacheCore

/// Prices from a slow source, read through a cache: loaded once, answered from memory, gone when the source says so.
@main
enum CacheCoreExample {
    static func main() async throws {
        let shop = Shop()

        // Every group of a cache draws from the same bound on bytes.
        let cache = Cache(memory: 16 << 20)
        var settings = GroupSettings()
        settings.timeToLive = .seconds(60)
        settings.eviction = .sieve
        let prices = try Group(
            "price", settings: settings, in: cache, getter: AsyncGetter { try await shop.price(of: $0) })

        // A hundred requests at once: one query.
        try await withThrowingTaskGroup(of: Void.self) { requests in
            for _ in 0..<100 { requests.addTask { _ = try await prices.get(Key("tea")) } }
            try await requests.waitForAll()
        }
        print("tea costs \(try await text(prices.get(Key("tea")))), queries: \(await shop.queries)")

        // "There is none" is an answer too, and is kept for a shorter time.
        print("gold costs \(try await text(prices.get(Key("gold")))), queries: \(await shop.queries)")
        print("gold costs \(try await text(prices.get(Key("gold")))), queries: \(await shop.queries)")

        // Who changes the source says so, and the next caller loads.
        await shop.raise("tea", to: "4.20")
        prices.invalidate(Key("tea"))
        print("tea costs \(try await text(prices.get(Key("tea")))), queries: \(await shop.queries)")

        let statistics = prices.statistics
        print("lookups: \(statistics.gets), hits: \(statistics.hits), negative hits: \(statistics.negativeHits)")
        print("loads: \(statistics.loads), entries: \(statistics.entries), bytes: \(statistics.bytes)")
    }

    private static func text(_ value: Value?) -> String {
        value.map { String($0) } ?? "nothing we sell"
    }
}

/// Stands for a database.
actor Shop {
    private var prices = ["tea": "3.90", "coffee": "4.50"]
    private(set) var queries = 0

    func price(of key: Key) async throws -> Value? {
        queries += 1
        try await Task.sleep(for: .milliseconds(100))
        return prices[String(decoding: key.bytes, as: UTF8.self)].map { Value($0) }
    }

    func raise(_ name: String, to price: String) {
        prices[name] = price
    }
}
