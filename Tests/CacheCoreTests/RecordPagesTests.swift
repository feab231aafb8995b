import Glibc
import Groundwork
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
        let hash = key.withUnsafeBytes { EntryStore.hash($0) }
        let place = key.withUnsafeBytes { store.locate($0, hash: hash) }
        let grown =
            place == .none
            ? store.insert(key.span.bytes, hash: hash, value: Value(text: value), times: times, at: now)
            : store.replace(place, key.span.bytes, value: Value(text: value), times: times, at: now)
        return grown != nil
    }

    private func place(of number: Int, in store: borrowing EntryStore) -> SlotIndex? {
        let place = key(number).withUnsafeBytes { store.locate($0, hash: EntryStore.hash($0)) }
        return place == .none ? nil : place
    }

    private func value(of number: Int, in store: borrowing EntryStore) -> [UInt8]? {
        place(of: number, in: store).flatMap {
            Record(store.slots[Int($0)].pointee)?.value.text.withUnsafeBytes { Array($0) }
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
                if let place = place(of: number, in: store) { store.remove(place) }
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
            if let place = place(of: number, in: store) { store.remove(place) }
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
            if let place = place(of: number, in: store) { store.remove(place) }
        }
        #expect(store.invariantViolations() == [])
        #expect(store.count == 0)
    }

    @Test func `what a block takes is whole pages, and it goes back to the system`() {
        let pool = BlockPool.shared
        #expect(BlockPool.size(1) == 4096)
        #expect(BlockPool.size(20_000) == 20_480)
        var random = SplitMix64(seed: 1)
        for _ in 0..<10_000 {
            let size = Int.random(in: 16_385...3_000_000, using: &random)
            let length = BlockPool.classLength(BlockPool.size(size))
            #expect(length >= size && length % 4096 == 0)
            #expect(length <= BlockPool.size(size) * 5 / 4 + 4096)
        }
        // Of all lengths, also those that are mapped by themselves; two never share a byte.
        var blocks: [(start: UnsafeMutableRawPointer, count: Int, mark: UInt8)] = []
        for step in 0..<3000 {
            if blocks.count > 40 || (step % 3 == 2 && !blocks.isEmpty) {
                let block = blocks.remove(at: Int.random(in: 0..<blocks.count, using: &random))
                let bytes = UnsafeRawBufferPointer(start: block.start, count: block.count)
                #expect(bytes.first == block.mark && bytes[block.count / 2] == block.mark && bytes.last == block.mark)
                pool.release(block.start, block.count)
            } else {
                let count = Int.random(in: 16_385...(step % 50 == 0 ? 3_000_000 : 200_000), using: &random)
                guard let start = pool.allocate(count) else { continue }
                memset(start, Int32(step % 251), count)
                blocks.append((start, count, UInt8(step % 251)))
            }
        }
        for block in blocks { pool.release(block.start, block.count) }
    }

    @Test func `a large value outlives its entry, and is the same in all its forms`() throws {
        let bytes = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
        var encoder = RowEncoder(text: bytes.span.bytes)
        encoder.append(name: Array("id".utf8).span.bytes, value: Array("7".utf8).span.bytes)
        let value = encoder.finish()
        let blocked = try #require(value.blocked())
        #expect(blocked.block != nil)
        var store = EntryStore(policy: Eviction.lru.makePolicy(), exactly: false)
        let hash = key(1).withUnsafeBytes { EntryStore.hash($0) }
        let grown = store.insert(key(1).span.bytes, hash: hash, value: blocked, times: times, at: now)
        #expect(grown != nil)
        #expect(store.recordBytes > 50_000 && store.recordBytes < 50_000 + 5000)
        let kept = try #require(place(of: 1, in: store).flatMap { Record(store.slots[Int($0)].pointee)?.value })
        if let place = place(of: 1, in: store) { store.remove(place) }
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
