@testable import CacheCore

/// A policy as its paper tells it, over arrays of keys and without a thought for speed.
protocol ModelPolicy {
    /// The keys in memory.
    var keys: [Int] { get }
    mutating func insert(_ key: Int)
    mutating func ask(_ key: Int)
    mutating func remove(_ key: Int)
    mutating func evict() -> Int?
}

struct LRUModel: ModelPolicy {
    /// From the one that was not asked for the longest.
    private(set) var keys: [Int] = []

    mutating func insert(_ key: Int) { keys.append(key) }

    mutating func ask(_ key: Int) {
        remove(key)
        insert(key)
    }

    mutating func remove(_ key: Int) { keys.removeAll { $0 == key } }

    mutating func evict() -> Int? { keys.isEmpty ? nil : keys.removeFirst() }
}

struct SieveModel: ModelPolicy {
    /// From the oldest.
    private(set) var keys: [Int] = []
    private var visited: Set<Int> = []
    /// An index in `keys`.
    private var hand = 0

    mutating func insert(_ key: Int) { keys.append(key) }

    mutating func ask(_ key: Int) { visited.insert(key) }

    mutating func remove(_ key: Int) {
        guard let index = keys.firstIndex(of: key) else { return }
        keys.remove(at: index)
        visited.remove(key)
        if index < hand { hand -= 1 }
        if hand >= keys.count { hand = 0 }
    }

    mutating func evict() -> Int? {
        guard !keys.isEmpty else { return nil }
        while visited.remove(keys[hand]) != nil { hand = (hand + 1) % keys.count }
        let victim = keys[hand]
        remove(victim)
        return victim
    }
}

struct S3FIFOModel: ModelPolicy {
    /// From the oldest.
    private var small: [Int] = []
    private var main: [Int] = []
    private var frequency: [Int: Int] = [:]
    private var ghosts = Ghosts()

    var keys: [Int] { small + main }

    private var ghostLimit: Int { keys.count - keys.count / 10 }

    mutating func insert(_ key: Int) {
        frequency[key] = 0
        if ghosts.take(hash(key), limit: ghostLimit) { main.append(key) } else { small.append(key) }
    }

    mutating func ask(_ key: Int) { frequency[key] = min(3, (frequency[key] ?? 0) + 1) }

    mutating func remove(_ key: Int) {
        small.removeAll { $0 == key }
        main.removeAll { $0 == key }
    }

    mutating func evict() -> Int? {
        if small.count * 10 >= keys.count {
            while let key = small.first {
                if frequency[key, default: 0] > 1 {
                    frequency[key] = 0
                    main.append(small.removeFirst())
                } else {
                    ghosts.insert(hash(key), limit: ghostLimit)
                    return small.removeFirst()
                }
            }
        }
        while let key = main.first {
            main.removeFirst()
            guard let count = frequency[key], count > 0 else { return key }
            frequency[key] = count - 1
            main.append(key)
        }
        return nil
    }
}

extension S3FIFOModel {
    private func hash(_ key: Int) -> UInt64 {
        EntryStore.hash(key.bytes.span.bytes)
    }
}
