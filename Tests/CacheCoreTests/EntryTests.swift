import CacheCore
import Groundwork
import Testing

struct EntryTests {
    @Test func `an entry lives for its time to live and not longer`() throws {
        let bench = try Bench(getter: PromptGetter())
        bench.get("k")
        bench.clock.advance(.milliseconds(59_900))
        #expect(bench.get("k") == "value of k")
        bench.clock.advance(.milliseconds(101))
        #expect(bench.peek("k") == nil)
        #expect(bench.get("k") == "leads")
        #expect(bench.group.statistics.expirations == 1)
    }

    @Test func `without a time to live an entry stays`() throws {
        var settings = GroupSettings()
        settings.timeToLive = nil
        let bench = try Bench(settings: settings, getter: PromptGetter())
        bench.get("k")
        bench.clock.advance(.seconds(3600 * 24 * 300))
        #expect(bench.get("k") == "value of k")
        #expect(bench.group.lifetime(of: Array("k".utf8).span.bytes, at: bench.clock.now) == .unlimited)
    }

    @Test func `a missing row is believed for the negative time to live`() throws {
        let bench = try Bench(getter: PromptGetter { _ in .missing })
        bench.get("k", token: 1)
        #expect(bench.outcomes[1] == ["missing"])
        #expect(bench.get("k") == "negative")
        bench.clock.advance(.seconds(5))
        #expect(bench.get("k") == "leads")
        #expect(bench.group.statistics.negativeHits == 1)
    }

    @Test func `with a negative time to live of zero a missing row is asked for each time`() throws {
        var settings = GroupSettings()
        settings.negativeTimeToLive = .zero
        let bench = try Bench(settings: settings, getter: PromptGetter { _ in .missing })
        #expect(bench.get("k") == "leads")
        #expect(bench.get("k") == "leads")
    }

    @Test func `the lifetime counts down`() throws {
        let bench = try Bench(getter: PromptGetter())
        let key = Array("k".utf8)
        #expect(bench.group.lifetime(of: key.span.bytes, at: bench.clock.now) == .absent)
        bench.get("k")
        bench.clock.advance(.seconds(20))
        guard case .left(let left) = bench.group.lifetime(of: key.span.bytes, at: bench.clock.now) else {
            Issue.record("no lifetime")
            return
        }
        #expect(left <= .seconds(40) && left > .milliseconds(39_900))
    }

    @Test func `a value with fields is had in both forms`() throws {
        let row = Value(bytes: Array("{id: 7}id=7".utf8), textLength: 7)
        let bench = try Bench(getter: PromptGetter { _ in row })
        bench.get("k")
        #expect(bench.get("k", form: .text) == "{id: 7}")
        #expect(bench.get("k", form: .fields) == "id=7")
        #expect(bench.get("k", form: .none) == "")
    }

    @Test(arguments: [0, 1, 100, 16 * 1024, 16 * 1024 + 1, 3_000_000])
    func `a value of any length comes back as it went in`(length: Int) throws {
        let text = String(repeating: "x", count: length)
        let bench = try Bench(getter: PromptGetter { _ in Value(text: Array(text.utf8)) })
        bench.get("k")
        #expect(bench.get("k") == text)
        #expect(bench.group.checkInvariants() == [])
        bench.invalidate("k")
        bench.cache.invalidateAll()
        #expect(bench.cache.usedBytes == 0)
    }

    @Test func `keys may be empty, long, or hold any byte`() throws {
        let bench = try Bench(getter: PromptGetter())
        for key in ["", "\0", "a:b\r\n", String(repeating: "k", count: 32768)] {
            bench.get(key)
            #expect(bench.get(key) == "value of \(key)")
        }
        let tooLong = String(repeating: "k", count: 65536)
        bench.get(tooLong)
        #expect(bench.get(tooLong) == "leads")
        #expect(bench.group.checkInvariants() == [])
    }

    @Test func `two groups of one name are an error`() throws {
        let cache = Cache()
        let first = try Group("g", in: cache, getter: PromptGetter())
        #expect(throws: DuplicateGroupError.self) { try Group(first.name, in: cache, getter: PromptGetter()) }
    }

    @Test func `a scan meets every key once`() throws {
        let bench = try Bench(getter: PromptGetter())
        for number in 0..<1000 { bench.get("k\(number)") }
        var seen: [String] = []
        var cursor = 0
        repeat {
            let (keys, next) = bench.group.keys(from: cursor, count: 37, at: bench.clock.now)
            seen += keys.map { String(decoding: $0.bytes, as: UTF8.self) }
            cursor = next
        } while cursor != 0
        #expect(seen.sorted() == (0..<1000).map { "k\($0)" }.sorted())
    }
}

struct SweepTests {
    @Test func `expired entries leave memory without being asked for, and the sweep tells when to come back`() throws {
        let bench = try Bench(getter: PromptGetter { $0.hasPrefix("no") ? .missing : Value(text: Array($0.utf8)) })
        let requests = Outcomes()
        bench.cache.onSweepRequest { due in
            requests.deliver(.success(Value(text: Array("\(due.nanoseconds / 1_000_000_000)".utf8))), token: 0)
        }
        for number in 0..<1000 { bench.get("k\(number)") }
        bench.get("no")
        // Asked for twice: when the first entry came in, and when one came that expires before all others.
        #expect(requests[0] == ["60", "5"])
        let start = bench.clock.now
        bench.clock.advance(.seconds(10))
        let next = try #require(bench.cache.sweep(at: bench.clock.now))
        #expect(bench.group.statistics.entries == 1000)
        #expect(next - start > .seconds(59) && next - start <= .seconds(60))
        bench.clock.advance(.seconds(50))
        #expect(bench.cache.sweep(at: bench.clock.now) == nil)
        #expect(bench.group.statistics.entries == 0)
        #expect(bench.group.statistics.expirations == 1001)
        #expect(bench.group.checkInvariants() == [])
    }
}
