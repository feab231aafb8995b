import CacheCore
import Groundwork
import Logging
import Testing

@testable import SidecarApp

@Suite(.timeLimit(.minutes(10))) struct LoadLogTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    private let failure = Outcome.failure(LoadError(.unavailable, "account: the database cannot be reached"))

    @Test func `a group that succeeds after its failures no longer fails, though no further load comes`() async {
        let log = LoadLog(logger: logger, settling: .milliseconds(20))
        let observe = log.observer(of: "account")
        observe(failure)
        #expect(log.failingGroups == ["account"])
        observe(.success(.missing))
        let deadline = Instant.now() + .seconds(30)
        while !log.failingGroups.isEmpty, Instant.now() < deadline { try? await Task.sleep(for: .milliseconds(5)) }
        #expect(log.failingGroups.isEmpty)
        // And it is noted when it fails anew.
        observe(failure)
        #expect(log.failingGroups == ["account"])
    }

    @Test func `a success soon after a failure, or before one, settles nothing`() {
        let log = LoadLog(logger: logger, settling: .seconds(3600))
        let observe = log.observer(of: "account")
        observe(.success(.missing))
        observe(failure)
        observe(.success(.missing))
        observe(failure)
        #expect(log.failingGroups == ["account"])
        #expect(log.lastError == "account: the database cannot be reached")
    }
}
