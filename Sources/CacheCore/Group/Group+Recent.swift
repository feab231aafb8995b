import Groundwork

extension Group {
    /// The keys in memory that were asked for last, at most `count`, those of the last moment first; to some tenth of the time since.
    /// Looks through all entries twice, with each lock held for a few of them, and takes memory for what it returns alone.
    package func recentKeys(_ count: Int) -> [Key] {
        guard count > 0 else { return [] }
        var ages = [Int](repeating: 0, count: Self.ageClasses)
        forEachSlot { slot, now in ages[Self.ageClass(slot, now)] += 1 }
        // The classes that all fit, and what is left for the next one.
        var limit = 0
        var left = count
        while limit < ages.count, ages[limit] <= left {
            left -= ages[limit]
            limit += 1
        }
        var found: [(age: Int, key: Key)] = []
        forEachSlot { slot, now in
            let age = Self.ageClass(slot, now)
            guard age <= limit, found.count < count, let record = Record(slot) else { return }
            if age == limit {
                guard left > 0 else { return }
                left -= 1
            }
            found.append((age, Key(record)))
        }
        return found.sorted { $0.age < $1.age }.map(\.key)
    }

    /// Eight for each doubling of the ticks since an entry was asked for.
    private static let ageClasses = 8 * 33

    private static func ageClass(_ slot: Slot, _ now: Tick) -> Int {
        let age = UInt64(max(0, Int32(bitPattern: now.count &- slot.asked.count))) + 1
        let power = 63 - age.leadingZeroBitCount
        let eighth = power >= 3 ? Int(age >> UInt64(power - 3)) & 7 : Int(age << UInt64(3 - power)) & 7
        return 8 * power + eighth
    }

    private func forEachSlot(_ body: (Slot, Tick) -> Void) {
        for shard in 0..<shards.count {
            var index = 0
            var isDone = false
            while !isDone {
                let now = tick(cache.clock())
                isDone = withShard(shard) { state in
                    let end = min(index + 128, state.store.slotCount)
                    while index < end {
                        let slot = state.store[SlotIndex(index)]
                        if slot.record != nil { body(slot, now) }
                        index += 1
                    }
                    return index >= state.store.slotCount
                }
            }
        }
    }
}
