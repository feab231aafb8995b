import CacheCore
import Foundation
import Groundwork
import Logging
import Postgres
import Server
import Testing

@testable import SidecarApp

/// Settings from a text, as if it stood in `/nowhere/s.yaml`.
func settings(_ text: String, environment: [String: String] = [:]) throws(SettingsError) -> Settings {
    try Settings.parse(text, file: "s.yaml", folder: "/nowhere/", environment: environment)
}

/// The lines that a settings text's mistakes are told in; empty when it has none.
func mistakes(_ text: String, environment: [String: String] = [:]) -> [String] {
    do {
        _ = try settings(text, environment: environment)
        return []
    } catch {
        return error.description.split(separator: "\n").map(String.init)
    }
}

/// A group that is right, to stand below what a test is about.
let rightGroup = "groups: { g: { sql: select 1 } }"

@Suite struct SettingsTests {
    @Test func `the least settings are one group, and everything else has its default`() throws {
        let read = try settings(rightGroup)
        var expected = Settings()
        var group = Settings.Group()
        group.name = "g"
        group.sql = "select 1"
        group.location = QueryLocation(file: "s.yaml", line: 1, column: 21, isVerbatim: true)
        expected.groups = [group]
        #expect(read == expected)
    }

    @Test func `every key is read into its field`() throws {
        let read = try settings(
            """
            database: { url: "postgresql:///app", password: "p@ss", connections: 8, pipeline_depth: 64, connect_timeout: 1s, prepare: off }
            listen:
              socket: /tmp/s
              mode: 0600
              group: 7
              allow_users: [root, 1000]
              max_clients: 5
              max_request: 64KiB
              max_output: 2MB
              password: geheim
            threads: 2
            memory: 1GiB
            log: { level: debug, format: json }
            drain_timeout: 0
            defaults: { ttl: 10m, negative_ttl: 0s, memory: 1MiB, load_timeout: 500ms }
            groups:
              a: { sql: select 1, returns: rows, ttl: 7d, negative_ttl: 1h, memory: 2MiB, load_timeout: 3s }
              b.c-d_1: { sql: select $1, batch: { sql: select 3, max: 7 } }
            """)
        #expect(read.database.url == "postgresql:///app")
        #expect(read.database.password == "p@ss")
        #expect(read.database.connections == 8)
        #expect(read.database.pipelineDepth == 64)
        #expect(read.database.connectTimeout == .seconds(1))
        #expect(!read.database.prepare)
        #expect(read.listen.socket == "/tmp/s")
        #expect(read.listen.mode == 0o600)
        #expect(read.listen.group == 7)
        #expect(read.listen.allowedUsers == [0, 1000])
        #expect(read.listen.maxClients == 5)
        #expect(read.listen.maxRequest == 65_536)
        #expect(read.listen.maxOutput == 2_000_000)
        #expect(read.listen.password == "geheim")
        #expect(read.threads == 2)
        #expect(read.memory == 1 << 30)
        #expect(read.log.level == .debug)
        #expect(read.log.format == .json)
        #expect(read.drainTimeout == .zero)
        #expect(read.groups.map(\.name) == ["a", "b.c-d_1"])
        #expect(read.groups[0].returns == .rows)
        #expect(read.groups[0].rules.timeToLive == .seconds(7 * 86_400))
        #expect(read.groups[0].rules.negativeTimeToLive == .seconds(3600))
        #expect(read.groups[0].rules.memory == 2 << 20)
        #expect(read.groups[0].rules.loadTimeout == .seconds(3))
        #expect(read.groups[0].batch == Settings.Group.Batch())
        #expect(read.groups[1].batch.sql == "select 3")
        #expect(read.groups[1].batch.max == 7)
        #expect(read.groups[1].rules.timeToLive == .seconds(600))
        #expect(read.groups[1].rules.negativeTimeToLive == .zero)
        #expect(read.groups[1].rules.memory == 1 << 20)
        #expect(read.groups[1].rules.loadTimeout == .milliseconds(500))
    }

    @Test(arguments: [
        ("threds: 2", "s.yaml:1:1: threds: unknown key; did you mean 'threads'?"),
        ("listen: { max_client: 2 }", "s.yaml:1:11: listen.max_client: unknown key; did you mean 'max_clients'?"),
        ("log: { colour: red }", "s.yaml:1:8: log.colour: unknown key; the keys here are level, format"),
        ("threads: many", "s.yaml:1:10: threads: 'many' is not a whole number; write one from 0 to 64"),
        ("threads: 65", "s.yaml:1:10: threads: '65' is out of range; write 0 to 64"),
        ("threads: -1", "s.yaml:1:10: threads: '-1' is not a whole number; write one from 0 to 64"),
        ("threads: [1]", "s.yaml:1:10: threads: needs one value: a whole number, 0 to 64"),
        ("threads:", "s.yaml:1:9: threads: has no value; write a whole number, 0 to 64, or remove the line"),
        ("database: 5", "s.yaml:1:11: database: needs keys below it, as in 'name: value'"),
        (
            "database: { connections: 1001 }",
            "s.yaml:1:26: database.connections: '1001' is out of range; write 0 to 1000"
        ),
        (
            "database: { url: 'postgresql://app:ses%ame@db/app' }",
            "s.yaml:1:18: database.url: the text is not a connection string that libpq understands; "
                + "write one such as postgresql://app@db/app or 'host=db dbname=app', "
                + "and a password with other signs than letters and digits in `database.password`"
        ),
        (
            "database: { url: 'postgresql://app:ses@me@db/app' }",
            "s.yaml:1:18: database.url: the text has a second '@' before the database's name, so libpq takes the rest of "
                + "the password for a host; write the password in `database.password`, or its '@' as %40"
        ),
        (
            "database: { url: 'postgresql://app:sesame@${NO_HOST}/app' }",
            "s.yaml:1:18: database.url: the text needs the environment variable NO_HOST, which is not set; "
                + "set it or write ${NO_HOST:-default}"
        ),
        ("database: { prepare: maybe }", "s.yaml:1:22: database.prepare: 'maybe' is neither on nor off"),
        (
            "memory: 256",
            "s.yaml:1:9: memory: '256' needs a unit; write a size such as 64KiB, 256MiB or 1GiB"
        ),
        (
            "memory: 1XB",
            "s.yaml:1:9: memory: '1XB' has the unknown unit 'XB'; the units are B, KB, KiB, MB, MiB, GB, GiB, TB, TiB"
        ),
        ("memory: 9223372036854775807KiB", "s.yaml:1:9: memory: '9223372036854775807KiB' is too large"),
        ("memory: 1B", "s.yaml:1:9: memory: '1B' is out of range; write 1MiB to 1024TiB"),
        (
            "drain_timeout: soon",
            "s.yaml:1:16: drain_timeout: 'soon' is not a duration; write one such as 500ms, 60s, 10m, 1h or 7d"
        ),
        ("drain_timeout: 99999d", "s.yaml:1:16: drain_timeout: '99999d' is out of range; write 0 to 3650d"),
        (
            "listen: { mode: \"0999\" }",
            "s.yaml:1:17: listen.mode: '0999' is not a file mode; write octal digits such as \"0660\""
        ),
        (
            "listen: { allow_users: root }",
            "s.yaml:1:24: listen.allow_users: needs a list; write [a, b], each a user's name or id"
        ),
        (
            "listen: { allow_users: [no-such-user] }",
            "s.yaml:1:25: listen.allow_users: 'no-such-user' is no user of this machine; "
                + "write a name from `getent passwd`, or an id"
        ),
        (
            "log: { level: inform }",
            "s.yaml:1:15: log.level: 'inform' is not one of trace, debug, info, notice, warning, error, critical; "
                + "did you mean 'info'?"
        ),
        (
            "defaults: { jitter: 110% }",
            "s.yaml:1:21: defaults.jitter: '110%' is not a percentage; write 0% to 100%"
        ),
        (
            "defaults: { refresh_after: 60s }",
            "s.yaml:1:28: defaults.refresh_after: refresh_after must be less than ttl, or no entry lives to see it"
        ),
        (
            "defaults: { memory: 1GiB }",
            "s.yaml:1:21: defaults.memory: is more than 'memory', which is 256MiB for all groups together"
        ),
        (
            "defaults: { sql: select 1 }",
            "s.yaml:1:13: defaults.sql: unknown key; the keys here are \(Settings.Group.sharedKeys.map(\.name).joined(separator: ", "))"
        ),
        (
            "threads: 1\nthreads: 2",
            "s.yaml:2:1: not valid YAML: 'threads' stands more than once in the same section, first in line 1; keep one"
        ),
    ])
    func `a mistake is named with its line, its column and what would be right`(wrong: String, told: String) {
        #expect(mistakes(wrong + "\n" + rightGroup) == [told])
    }

    @Test func `a mistake shows what was written without signs that a terminal obeys, and not megabytes of it`() {
        let coloured = mistakes(rightGroup + "\n" + #""\e[31mred": 1"#).first ?? ""
        #expect(coloured.hasPrefix("s.yaml:2:1: ?[31mred: unknown key; the keys here are "))
        let long = mistakes("\(rightGroup)\nthreads: \(String(repeating: "9", count: 1_000_000))").first ?? ""
        #expect(long.count < 2000)
        #expect(long.hasPrefix("s.yaml:2:10: threads: '9999"))
        #expect(long.hasSuffix("9' is not a whole number; write one from 0 to 64"))
    }

    @Test(arguments: [
        ("", "s.yaml: groups: needs at least one group, with its 'query' or 'sql'"),
        ("groups:", "s.yaml:1:8: groups: needs at least one group"),
        ("groups: { g: }", "s.yaml:1:11: groups.g: needs its SQL; write 'query: FILE' or 'sql: TEXT'"),
        ("groups: { g: { sql: '' } }", "s.yaml:1:21: groups.g.sql: '' is empty"),
        (
            "groups: { 'a:b': { sql: select 1 } }",
            "s.yaml:1:11: groups.a:b: not a group's name; it may have letters, digits, '_', '-' and '.'"
        ),
        (
            "groups: { g: { sql: select 1, query: q.sql } }",
            "s.yaml:1:21: groups.g.sql: stands beside 'query'; keep one of the two"
        ),
        (
            "groups: { g: { query: q.sql } }",
            "s.yaml:1:23: groups.g.query: can't read /nowhere/q.sql: there is no such file"
        ),
        (
            "groups: { g: { sql: select 1, returns: valeu } }",
            "s.yaml:1:40: groups.g.returns: 'valeu' is not one of row, value, rows; did you mean 'value'?"
        ),
        (
            "groups: { g: { sql: select 1, memory: 1GiB } }",
            "s.yaml:1:39: groups.g.memory: is more than 'memory', which is 256MiB for all groups together"
        ),
        (
            "groups: { g: { sql: select 1, batch: { sql: select 2 } } }",
            "s.yaml:1:38: groups.g.batch: the group's query has no parameter, so it has one key and nothing to batch; "
                + "remove the batch"
        ),
        ("[1, 2]", "s.yaml:1:1: the file: needs keys below it, as in 'name: value'"),
    ])
    func `a mistake in a group is named with its group`(wrong: String, told: String) {
        #expect(mistakes(wrong).first == told)
    }

    @Test func `all mistakes are told at once, in the order of their lines`() {
        let told = mistakes(
            """
            groups:
              a: { ttl: 5 }
            memory: lots
            threads: 99
            databse: {}
            """)
        #expect(told.map { $0.split(separator: ":")[1] } == ["2", "2", "3", "4", "5"])
    }

    @Test func `a text that is not YAML is told where the parser stopped`() {
        let told = mistakes("threads: 1\nlisten: [")
        #expect(told.count == 1)
        #expect(told.first?.hasPrefix("s.yaml:3:1: not valid YAML: ") == true)
    }

    @Test(arguments: ["[", "{a: ", "- ", "[a, ["])
    func `sections in one another are no deeper than the stack`(open: String) {
        let told = mistakes(String(repeating: open, count: 20_000))
        #expect(told.count == 1 && told.first?.hasPrefix("s.yaml:1:") == true, "\(told)")
    }

    @Test func `a file without an end is not read for ever`() {
        #expect(
            throws: SettingsError(
                file: "/dev/zero",
                mistakes: [Mistake(message: "can't read the settings file: it has more than 16 MiB")])
        ) { try Settings.load(from: "/dev/zero", environment: [:]) }
    }

    @Test(arguments: [
        ("groups:\n\ta: {}", "s.yaml:2:1:", "indent by spaces, not tabs"),
        (
            "listen:\n  key_prefix: :1:", "s.yaml:2:17:",
            "put a text that holds ': ' in quotes, or SQL in the lines below"
        ),
        (
            "groups:\n  a:\n    sql: \"id\" from x\n", "s.yaml:3:15:",
            "put SQL that begins with a quote in the lines below"
        ),
    ])
    func `what most often is not YAML in a settings file is told with what helps`(
        wrong: String, position: String, hint: String
    ) {
        let told = mistakes(wrong)
        #expect(told.count == 1)
        #expect(told.first?.hasPrefix("\(position) not valid YAML: ") == true, "\(told)")
        #expect(told.first?.contains(hint) == true, "\(told)")
    }

    @Test func `SQL with a comma between brackets is not taken for an unknown setting alone`() {
        #expect(
            mistakes("groups: { a: { sql: select id, name from account } }") == [
                "s.yaml:1:32: groups.a.name from account: unknown key; "
                    + "put a text that has a comma and stands between { } in quotes"
            ])
    }

    @Test func `a pipe is read as long as somebody writes to it, and else is told to be one`() throws {
        let path = NSTemporaryDirectory() + "pgs-pipe-" + UUID().uuidString
        #expect(mkfifo(path, 0o600) == 0)
        defer { unlink(path) }
        let reason = "can't read the settings file: it is a pipe that nobody writes to"
        #expect(throws: SettingsError(file: path, mistakes: [Mistake(message: reason)])) {
            try Settings.load(from: path, environment: [:])
        }
        // A shell's <(...), whose program takes its time.
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let (read, write) = (ends[0], ends[1])
        Thread.detachNewThread {
            usleep(50_000)
            let text = "groups: { a: { sql: select 1 } }"
            _ = Glibc.write(write, text, text.utf8.count)
            close(write)
        }
        #expect(try Settings.load(from: "/dev/fd/\(read)", environment: [:]).groups.map(\.name) == ["a"])
        close(read)
    }

    @Test func `a folder is no settings file`() {
        #expect(
            throws: SettingsError(
                file: "/", mistakes: [Mistake(message: "can't read the settings file: it is a folder")])
        ) {
            try Settings.load(from: "/", environment: [:])
        }
    }

    @Test func `a missing settings file is told with its name`() {
        #expect(
            throws: SettingsError(
                file: "/nowhere/s.yaml",
                mistakes: [Mistake(message: "can't read the settings file: there is no such file")])
        ) {
            try Settings.load(from: "/nowhere/s.yaml", environment: [:])
        }
    }

    @Test(arguments: [
        ("secret", "wheel"), ("secrte", "secret"), ("ttl", "tll"), ("max_clients", "max_cleints"),
    ])
    func `the edit distance is the same in both directions`(left: String, right: String) {
        #expect(editDistance(left, right) == editDistance(right, left))
    }

    @Test func `the nearest name is told only when it is near`() {
        let names = ["ttl", "negative_ttl", "memory", "load_timeout"]
        #expect(nearestName(to: "tll", among: names) == "ttl")
        #expect(nearestName(to: "Memory", among: names) == "memory")
        #expect(nearestName(to: "negativ_tl", among: names) == "negative_ttl")
        #expect(nearestName(to: "password", among: names) == nil)
        #expect(nearestName(to: "x", among: []) == nil)
        #expect(editDistance("", "abc") == 3)
        #expect(editDistance("ca", "ac") == 1)
        #expect(editDistance("kitten", "sitting") == 3)
    }
}

@Suite struct EnvironmentVariableTests {
    @Test func `a variable is filled in wherever a value stands`() throws {
        let read = try settings(
            """
            database: { url: "postgresql://app:${PASSWORD}@db/${NAME:-app}" }
            threads: ${THREADS}
            \(rightGroup)
            """, environment: ["PASSWORD": "a}b: {c", "THREADS": "3", "NAME": ""])
        #expect(read.database.url == "postgresql://app:a}b: {c@db/app")
        #expect(read.threads == 3)
    }

    @Test func `a doubled dollar before a brace is a literal one, and any other dollar is itself`() throws {
        let text = try fillingVariables(in: "$${HOME} costs $1 or $$2 or $", from: ["HOME": "x"])
        #expect(text == "${HOME} costs $1 or $$2 or $")
    }

    @Test(arguments: [
        ("${NOT_SET}", "needs the environment variable NOT_SET, which is not set; set it or write ${NOT_SET:-default}"),
        ("${NAME", "has a '${' without its '}'; write '$${' where '${' itself is meant"),
        ("${1NAME}", "names no environment variable in '${1NAME}'; write ${NAME} or ${NAME:-default}"),
        ("${}", "names no environment variable in '${}'; write ${NAME} or ${NAME:-default}"),
    ])
    func `a reference that can't be filled in is a mistake with its line`(text: String, why: String) {
        let told = mistakes("log:\n  level: \"\(text)\"\n" + rightGroup)
        #expect(told == ["s.yaml:2:10: log.level: '\(text)' \(why)"])
    }

    @Test func `a mistake never shows what a variable holds`() {
        let told = mistakes("threads: ${SECRET}\n" + rightGroup, environment: ["SECRET": "hunter2"])
        #expect(
            told == [
                "s.yaml:1:10: threads: '${SECRET}', as the environment fills it in, is not a whole number; "
                    + "write one from 0 to 64"
            ])
    }

    @Test func `a mistake never shows a text that may hold a password`() {
        let told = mistakes("listen: { password: '${NAME}sesame${' }\n" + rightGroup, environment: ["NAME": "x"])
        #expect(
            told == [
                "s.yaml:1:21: listen.password: the text has a '${' without its '}'; "
                    + "write '$${' where '${' itself is meant"
            ])
    }
}

@Suite struct ValueTypeTests {
    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("500ms", .milliseconds(500)), ("60s", .seconds(60)),
        ("10m", .seconds(600)), ("1h", .seconds(3600)), ("7d", .seconds(604_800)),
    ])
    func `a duration is a number with a unit`(text: String, value: Duration) throws {
        let type = ValueType<Duration>.duration()
        #expect(try type.parse(text) == value)
        #expect(try type.render(value).map { try type.parse($0) } == value)
    }

    @Test(arguments: [("64KiB", 65_536), ("256MiB", 256 << 20), ("1GiB", 1 << 30), ("5MB", 5_000_000), ("7B", 7)])
    func `a size counts in 1024 with an i and in 1000 without`(text: String, value: Int) throws {
        let type = ValueType<Int>.bytes(0...Int.max)
        #expect(try type.parse(text) == value)
        #expect(try type.render(value).map { try type.parse($0) } == value)
    }

    @Test func `a percentage is a share of the whole`() throws {
        #expect(try ValueType<Double>.percent.parse("10%") == 0.1)
        #expect(ValueType<Double>.percent.render(0.1) == "10%")
        #expect(throws: WrongValue.self) { try ValueType<Double>.percent.parse("101%") }
        #expect(throws: WrongValue.self) { try ValueType<Double>.percent.parse("10") }
    }

    @Test func `defaults are written as people would write them`() {
        #expect(ValueType<Duration>.duration().render(.seconds(60)) == "60s")
        #expect(ValueType<Duration>.duration().render(.seconds(600)) == "10m")
        #expect(ValueType<Int>.bytes(0...Int.max).render(1 << 20) == "1MiB")
        #expect(ValueType<UInt32>.fileMode.render(0o660) == "\"0660\"")
    }

    @Test func `a socket path longer than the kernel takes is refused`() {
        #expect(throws: WrongValue.self) {
            try ValueType<String>.socketPath.parse("/" + String(repeating: "x", count: 107))
        }
    }
}
