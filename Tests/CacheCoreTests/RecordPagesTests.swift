import Glibc
import Groundwork
import TestSupport
import Testing

@testable import CacheCore

/// Where records live, and move to.
struct RecordPagesTests {
    private let times = Times(expires: nil, swept: nil, marks: nil)
    private let now = Tick(count: 0)

    private func text(_ key: Int, _ version: Int, length: Int) -> [UInt8] {
        (0..<length).map { UInt8(truncatingIfNeeded: key &* 31 &+ version &* 7 &+ $0) }
    }

    private func key(_ number: Int) -> [UInt8] { Array("key \(number)".utf8) }

    /// Puts a key in, or in place of what is there.
    private func put(_ number: Int, _ value: [UInt8], into store: inout EntryStore) -> Bool {
        let key = key(number)
        let bytes = key.span.bytes
        let hash = EntryStore.hash(bytes)
        let slot = store.locate(bytes, hash: hash)
        let grown =
            slot == .none
            ? store.insert(bytes, hash: hash, value: Value(text: value), times: times, at: now)
            : store.replace(slot, bytes, value: Value(text: value), times: times, at: now)
        return grown != nil
    }

    private func slot(of number: Int, in store: borrowing EntryStore) -> SlotIndex? {
        let key = key(number)
        let slot = store.locate(key.span.bytes, hash: EntryStore.hash(key.span.bytes))
        return slot == .none ? nil : slot
    }

    private func value(of number: Int, in store: borrowing EntryStore) -> [UInt8]? {
        slot(of: number, in: store).flatMap {
            Record(store[$0])?.value.text.withUnsafeBytes { Array($0) }
        }
    }

    @Test(arguments: 1...6)
    func `records of all lengths keep their bytes while others come, change and go`(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var store = EntryStore(policy: Eviction.lru.makePolicy(), exactly: false)
        var model: [Int: [UInt8]] = [:]
        for step in 0..<20_000 {
            let number = Int.random(in: 0..<1500, using: &random)
            // A tide, so that pages empty and fill again.
            let isEbb = (step / 4000) % 2 == 1
            if Int.random(in: 0..<10, using: &random) < (isEbb ? 7 : 2) {
                if let slot = slot(of: number, in: store) { store.remove(slot) }
                model[number] = nil
            } else {
                let longest = [40, 200, 600, 5000, 20_000][Int.random(in: 0..<100, using: &random) / 30]
                let value = text(number, step, length: Int.random(in: 0...longest, using: &random))
                #expect(put(number, value, into: &store))
                model[number] = value
            }
            #expect(value(of: number, in: store) == model[number])
            if step % 500 == 0 {
                #expect(store.invariantViolations() == [])
                for number in 0..<1500 { #expect(value(of: number, in: store) == model[number]) }
            }
        }
    }

    @Test func `what remains of many records takes no more pages than it needs`() {
        var store = EntryStore(policy: Eviction.lru.makePolicy(), exactly: false)
        for number in 0..<20_000 { #expect(put(number, text(number, 0, length: 100), into: &store)) }
        let full = store.recordPageBytes
        for number in 0..<20_000 where number % 10 != 0 {
            if let slot = slot(of: number, in: store) { store.remove(slot) }
        }
        #expect(store.invariantViolations() == [])
        #expect(store.recordPageBytes < full / 8)
        for number in stride(from: 0, to: 20_000, by: 10) {
            #expect(value(of: number, in: store) == text(number, 0, length: 100))
        }
        // Entries are charged their part of the pages.
        #expect(store.recordBytes + 4 * PagePool.records.pageSize >= store.recordPageBytes)
    }

    @Test func `a page that was given back is not touched again, whichever of the store's pages it was`() {
        var store = EntryStore(policy: Eviction.lru.makePolicy(), exactly: false)
        // Some of the kernel's huge pages full: one that is given back is unmapped, and a touch ends the process.
        let count = 16_000
        for number in 0..<count { #expect(put(number, text(number, 0, length: 490), into: &store)) }
        // The first ones, so that the page that is being filled takes the first one's place; then from the last one on.
        for number in Array(0..<32) + (32..<count).reversed() {
            if let slot = slot(of: number, in: store) { store.remove(slot) }
        }
        #expect(store.invariantViolations() == [])
        #expect(store.count == 0)
    }

    @Test func `what a block takes is whole pages, and no two share a byte`() throws {
        let pool = BlockPool()
        #expect(BlockPool.size(1) == 4096)
        #expect(BlockPool.size(20_000) == 20_480)
        var random = SplitMix64(seed: 1)
        // Of all lengths, also those that are mapped by themselves.
        var blocks: [(block: BlockPool.Block, count: Int, mark: UInt8)] = []
        for step in 0..<3000 {
            if blocks.count > 40 || (step % 3 == 2 && !blocks.isEmpty) {
                let (block, count, mark) = blocks.remove(at: Int.random(in: 0..<blocks.count, using: &random))
                let bytes = UnsafeRawBufferPointer(start: block.start, count: count)
                #expect(bytes.first == mark && bytes[count / 2] == mark && bytes.last == mark)
                pool.release(block)
            } else {
                let count = Int.random(in: 16_385...(step % 50 == 0 ? 3_000_000 : 200_000), using: &random)
                let block = try #require(pool.allocate(count))
                #expect(block.size == BlockPool.size(count))
                memset(block.start, Int32(step % 251), count)
                blocks.append((block, count, UInt8(step % 251)))
            }
        }
        for (block, _, _) in blocks { pool.release(block) }
        #expect(pool.bytes <= 2 << 20)
    }

    @Test func `blocks that come and go find memory that is there, and little waits for them`() throws {
        let pool = BlockPool()
        var random = SplitMix64(seed: 2)
        var blocks: [BlockPool.Block] = []
        var used = 0
        func add(_ count: Int) throws {
            let block = try #require(pool.allocate(count))
            // One byte for each page, as filling it would.
            for page in stride(from: 0, to: count, by: 4096) {
                block.start.storeBytes(of: 1, toByteOffset: page, as: UInt8.self)
            }
            blocks.append(block)
            used += block.size
        }
        func removeOne() {
            let block = blocks.remove(at: Int.random(in: 0..<blocks.count, using: &random))
            used -= block.size
            pool.release(block)
        }
        func mixed() -> Int { Int(16_385 * exp(4 * Double.random(in: 0..<1, using: &random))) }
        for _ in 0..<500 { try add(mixed()) }
        var pages = 0
        let before = Self.pageFaults
        for _ in 0..<2000 {
            removeOne()
            try add(mixed())
            pages += (blocks.last?.size ?? 0) / 4096
            #expect(pool.bytes <= used * 9 / 8 + 1)
        }
        // Each page would be one if nothing were kept; 8 in 100 are. The sanitizer's own are counted, too.
        #expect(Self.pageFaults - before < pages / 7 || isUnderThreadSanitizer)
        // Blocks of another length: what waits for the first ones goes.
        for _ in 0..<5000 {
            if used > 40 << 20 { removeOne() } else { try add(17_000) }
            #expect(pool.bytes <= max(used * 9 / 8 + 1, used + 2 << 20))
        }
        let start = Self.pageFaults
        for _ in 0..<1000 {
            removeOne()
            try add(17_000)
        }
        #expect(Self.pageFaults - start < 500 || isUnderThreadSanitizer)
    }

    /// Of this thread.
    private static var pageFaults: Int {
        var usage = rusage()
        getrusage(1, &usage)  // RUSAGE_THREAD, which is no constant for Swift
        return usage.ru_minflt
    }

    @Test func `a large value outlives its entry, and is the same in all its forms`() throws {
        let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
        let value = Value(bytes: bytes + Array("id=7".utf8), textLength: bytes.count)
        let blocked = try #require(value.blocked())
        #expect(blocked.block != nil)
        var store = EntryStore(policy: Eviction.lru.makePolicy(), exactly: false)
        let hash = EntryStore.hash(key(1).span.bytes)
        let grown = store.insert(key(1).span.bytes, hash: hash, value: blocked, times: times, at: now)
        #expect(grown != nil)
        #expect(store.recordBytes > 50_000 && store.recordBytes < 50_000 + 5000)
        let kept = try #require(slot(of: 1, in: store).flatMap { Record(store[$0])?.value })
        if let slot = slot(of: 1, in: store) { store.remove(slot) }
        #expect(store.recordBytes == 0)
        for copy in [blocked, kept] {
            #expect(copy.text.withUnsafeBytes { Array($0) } == bytes)
            #expect(copy.fields.withUnsafeBytes { Array($0) } == value.fields.withUnsafeBytes { Array($0) })
            #expect(copy.hasFields && !copy.isMissing)
        }
    }

    @Test func `a page that is given back is handed out again, and one page is nobody else's`() {
        let pool = PagePool.records
        var pages: Set<UnsafeMutableRawPointer> = []
        for _ in 0..<300 {
            guard let page = pool.allocate() else { break }
            #expect(Int(bitPattern: page) % pool.pageSize == 0)
            #expect(pages.insert(page).inserted)
            page.storeBytes(of: UInt64(pages.count), as: UInt64.self)
        }
        #expect(pages.count == 300)
        for page in pages { pool.release(page) }
    }
}
