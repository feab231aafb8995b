import Groundwork
import Invalidation
import Testing

@testable import SidecarApp

@Suite struct InvalidationSettingsTests {
    @Test func `every key is read into its field`() throws {
        let read = try settings(
            """
            invalidation: { source: logical, url: "postgresql:///app", password: geheim, on_stream_loss: serve_until_ttl,
                            heartbeat: 1s, channel: Other Channel, publication: theirs }
            defaults: { on_change: reload }
            groups:
              a:
                sql: select $1, $2
                on_change: drop
                invalidate_on:
                  - { table: public.Account, key: [region, '"Id.No"'] }
                  - table: '"My Schema".rate'
              b: { sql: select 1, invalidate_on: [{ table: public.x }] }
            """)
        let expected = {
            var wanted = InvalidationSettings()
            wanted.source = .logical
            wanted.url = "postgresql:///app"
            wanted.password = "geheim"
            wanted.onStreamLoss = .serveUntilTTL
            wanted.heartbeat = .seconds(1)
            wanted.channel = "Other Channel"
            wanted.publication = "theirs"
            return wanted
        }()
        #expect(read.invalidation == expected)
        #expect(read.groups.map(\.onChange) == [.drop, .reload])
        #expect(
            read.groups[0].invalidateOn == [
                TableRule(table: TableName(schema: "public", name: "account"), key: ["region", "Id.No"]),
                TableRule(table: TableName(schema: "My Schema", name: "rate"), key: []),
            ])
        #expect(read.groups[1].invalidateOn == [TableRule(table: TableName(schema: "public", name: "x"), key: [])])
    }

    @Test func `loads that may go to a standby are a mistake where changes are heard of`() throws {
        func found(_ url: String, _ source: String) -> [String] {
            mistakes("database: { url: \"\(url)\" }\ninvalidation: { source: \(source) }\n\(rightGroup)")
        }
        for source in ["notify", "logical"] {
            for url in [
                "postgresql://a,b/app", "host=a,b", "hostaddr=1.1.1.1,2.2.2.2",
                "postgresql://a,b/?target_session_attrs=any",
            ] {
                let found = found(url, source)
                #expect(found.count == 1)
                #expect(found.first?.contains("add 'target_session_attrs=primary' to database.url") == true, "\(found)")
            }
            for url in [
                "postgresql://a/app", "postgresql://a,b/?target_session_attrs=primary",
                "host=a,b target_session_attrs=read-write",
            ] {
                #expect(found(url, source) == [])
            }
        }
    }

    @Test(arguments: [
        (
            "source: notifi",
            "11: invalidation.source: 'notifi' is not one of none, notify, logical; did you mean 'notify'?"
        ),
        ("heartbeat: 1ms", "14: invalidation.heartbeat: '1ms' is out of range; write 100ms to 1h"),
        (
            "channel: \(String(repeating: "x", count: 64))",
            "12: invalidation.channel: '\(String(repeating: "x", count: 64))' has 64 bytes; PostgreSQL's names have 63 at most"
        ),
        ("url: x", "8: invalidation.url: the text is not a connection string"),
    ])
    func `a mistake in how changes are heard of is told with its line and column`(wrong: String, told: String) {
        let found = mistakes("invalidation:\n  \(wrong)\n\(rightGroup)")
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("s.yaml:2:\(told)") == true, "\(found)")
    }

    @Test(arguments: [
        (
            "account",
            "1:10: groups.g.invalidate_on: needs a list of tables, each { table: schema.name, key: [columns] }"
        ),
        (
            "[{ table: account }]",
            "1:20: groups.g.invalidate_on[0].table: 'account' has no schema; "
                + "write 'public.account' if that is where the table is"
        ),
        (
            "[{ key: [id] }]",
            "1:11: groups.g.invalidate_on[0]: needs its table; write '{ table: public.NAME, key: [COLUMN] }'"
        ),
        (
            "[{ table: a.b, keys: [id] }]",
            "1:25: groups.g.invalidate_on[0].keys: unknown key; did you mean 'key'?"
        ),
        (
            "[{ table: a.b, key: id }]",
            "1:30: groups.g.invalidate_on[0].key: needs a list; write [a, b], each a column, as in SQL"
        ),
        (
            "[{ table: a.b, key: [a.id] }]",
            "1:31: groups.g.invalidate_on[0].key: 'a.id' is not a column; "
                + "write its name alone, in double quotes if it has a dot"
        ),
        (
            "[{ table: a.b, key: [a, b] }]",
            "1:30: groups.g.invalidate_on[0].key: has 2 columns, and the group's query 1 parameter; write one column for "
                + "each, in their order, or no 'key' where any change of the table is to flush the group"
        ),
        (
            "[{ table: a.b, key: [] }]",
            "1:30: groups.g.invalidate_on[0].key: has 0 columns, and the group's query 1 parameter; write one column for "
                + "each, in their order, or no 'key' where any change of the table is to flush the group"
        ),
        (
            "[{ table: a.b, key: [a] }, { table: A.B, key: [a] }]",
            "1:37: groups.g.invalidate_on[1]: stands in the list before; remove one"
        ),
    ])
    func `a mistake in a group's tables is told with its line and column`(wrong: String, told: String) {
        let found = mistakes(
            "groups: { g: { sql: select $1, invalidate_on:\n         \(wrong) } }\ninvalidation: { source: notify }")
        #expect(
            found.contains { $0.hasPrefix("s.yaml:" + told.replacing("1:", with: "2:", maxReplacements: 1)) },
            "\(found)")
    }

    @Test func `a column twice in a key is a mistake`() {
        let found = mistakes(
            "groups: { g: { sql: 'select $1, $2', invalidate_on: [{ table: a.b, key: [x, X] }] } }\n"
                + "invalidation: { source: notify }")
        #expect(
            found == [
                "s.yaml:1:73: groups.g.invalidate_on[0].key: names a column twice; each part of the key has a column of its own"
            ])
    }

    @Test func `tables without anything that tells of changes are a mistake`() {
        #expect(
            mistakes("groups: { g: { sql: select 1, invalidate_on: [{ table: a.b }] } }") == [
                "s.yaml:1:46: groups.g.invalidate_on: nothing tells of changes; "
                    + "write 'invalidation: { source: notify }' (or logical), or remove the tables"
            ])
    }

    @Test func `tables whose source was turned off are told in a note`() throws {
        let read = try settings(
            "listen: { socket: /tmp/s }\ninvalidation: { source: none }\n"
                + "groups: { g: { sql: select 1, invalidate_on: [{ table: a.b }] }, h: { sql: select 1 } }")
        #expect(
            read.notes == ["invalidation.source: nothing tells of changes, so 'invalidate_on' does nothing (groups: g)"]
        )
    }

    @Test func `a source that no group listens to is told in a note`() throws {
        let read = try settings("listen: { socket: /tmp/s }\ninvalidation: { source: notify }\n\(rightGroup)")
        #expect(read.notes == ["invalidation.source: no group has 'invalidate_on', so nothing is listened for"])
    }

    @Test func `serving until the time to live needs one in each group with tables`() {
        let found = mistakes(
            """
            invalidation: { source: notify, on_stream_loss: serve_until_ttl }
            groups:
              a: { sql: select 1, ttl: 0, invalidate_on: [{ table: a.b }] }
              b: { sql: select 1, ttl: 1h, invalidate_on: [{ table: a.b }] }
              c: { sql: select 1, ttl: 0 }
            """)
        #expect(
            found == [
                "s.yaml:3:28: groups.a.ttl: has no ttl, which 'invalidation.on_stream_loss: serve_until_ttl' needs as the bound; "
                    + "give one"
            ])
    }
}
