import Foundation
import PrivateDatabase
import TestSupport
import Testing

/// `pgsidecar doctor` where a database does not tell of changes: it is found, and what it says mends it.
@Suite(.timeLimit(.minutes(10)))
struct DoctorChangesTests {
    static let followed =
        "word: { sql: 'select text from word where id = $1', invalidate_on: [{ table: public.word, key: [id] }] }"

    @Test func `triggers are missing, or disabled`() async throws {
        let subject = try await DoctorSubject()
        subject.groups = Self.followed
        subject.sections["invalidation"] = ["source": "notify", "channel": subject.database.name]
        let install = "run: pgsidecar sql install --config a.yaml --apply --database-url \"$OWNER_URL\""
        try await subject.expectMended("changes", "fail", seeing: "public.word (id): the function", by: [install])
        #expect(try await subject.examine().findings.contains { $0.check == "stream" && $0.severity == "ok" })
        try await subject.database.run("alter table word disable trigger all")
        try await subject.expectMended("changes", "fail", seeing: "differs", by: [install])
        try await subject.database.run(
            "alter table word owner to \(subject.role); alter table word disable trigger all")
        let own = try #require(try await subject.examine().findings.first { $0.severity == "fail" })
        #expect(own.remedies.map(\.text) == ["pgsidecar sql install --config a.yaml --apply"])
    }

    @Test func `the log can't be decoded, or does not tell all`() async throws {
        try await DoctorSubject.with(["wal_level": "replica", "max_replication_slots": "0"]) { subject in
            subject.groups = Self.followed
            subject.sections["invalidation"] = ["source": "logical"]
            try await subject.database.run("alter table word drop constraint word_pkey; create index on word(id)")
            let (findings, _) = try await subject.examine()
            let changes = findings.filter { $0.check == "changes" }
            #expect(changes.allSatisfy { $0.severity == "fail" })
            #expect(
                changes.flatMap(\.remedies).map(\.text) == [
                    "ALTER SYSTEM SET wal_level = logical; -- then restart the server",
                    "ALTER ROLE \(subject.role) REPLICATION;",
                    "ALTER SYSTEM SET max_replication_slots = 10; -- then restart the server",
                    #"ALTER TABLE "public"."word" REPLICA IDENTITY FULL;"#,
                    "pgsidecar sql install --config a.yaml --apply --database-url \"$OWNER_URL\"",
                ], "\(changes)")
            for remedy in changes.flatMap(\.remedies) { try await subject.carryOut(remedy) }
            try await subject.expectSound()
        }
    }

    @Test func `a published table does not tell the keys, or not all changes are published`() async throws {
        try await DoctorSubject.with(["wal_level": "logical"]) { subject in
            subject.groups = Self.followed.replacing("key: [id]", with: "key: [number]").replacing(
                "id = $1", with: "number = $1")
            subject.sections["invalidation"] = ["source": "logical"]
            try await subject.database.run(
                """
                alter role \(subject.role) replication; create index on word(number); create table other(id int primary key);
                create publication pgsidecar for table other
                """)
            try await subject.database.run("alter table word replica identity full")
            try await subject.expectMended(
                "changes", "fail", seeing: "public.word is not in publication",
                by: [#"sql: ALTER PUBLICATION "pgsidecar" ADD TABLE "public"."word";"#])
            try await subject.database.run("alter publication pgsidecar set (publish = 'insert')")
            try await subject.expectMended(
                "changes", "fail", seeing: "without all its kinds",
                by: [#"sql: ALTER PUBLICATION "pgsidecar" SET (publish = 'insert, update, delete, truncate');"#])
            try await subject.database.run("alter table word replica identity default")
            try await subject.expectMended(
                "changes", "fail", seeing: "does not tell the old number",
                by: [#"sql: ALTER TABLE "public"."word" REPLICA IDENTITY FULL;"#])
        }
    }
}
