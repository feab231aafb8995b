import CacheCore
import Testing

struct ValueTests {
    @Test(arguments: ["", "some text", String(repeating: "long ", count: 50_000)])
    func `a value is made of a text and gives it back, and equal texts are equal values`(text: String) {
        let value = Value(text)
        #expect(String(value) == text)
        // A long text that is copied from a span is held in another way.
        #expect(value == Value(text: Array(text.utf8).span.bytes))
        #expect(value != Value(text + "x"))
        #expect(value != .missing)
    }

    @Test func `a part of a text is looked at without copying it`() {
        let value = Value("0123456789")
        let digits = value.text.extracting(3..<6).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        #expect(digits == "345")
    }

    @Test func `fields tell values apart`() {
        let row = Value(bytes: Array("{}id=7".utf8), textLength: 2)
        #expect(row != Value("{}") && row != Value("{}id=7"))
        #expect(row == Value(bytes: Array("{}id=7".utf8), textLength: 2))
        #expect(Value.missing == .missing)
        #expect(Value.missing != Value(""))
    }

    @TaskLocal static var user = "nobody"

    @Test func `a load does not see the task-local values of the caller that started it`() async throws {
        let group = try Group("g", getter: AsyncGetter { _ in Value(Self.user) })
        let seen = try await Self.$user.withValue("somebody") { try await group.get(Key("k")) }
        #expect(seen.map { String($0) } == "nobody")
    }
}
