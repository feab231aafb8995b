import Foundation
import Glibc
import PrivateDatabase
import TestSupport
import Testing

/// `pgsidecar doctor`: what is wrong is found, and what it says mends it.
@Suite(.timeLimit(.minutes(10)))
struct DoctorTests {
    @Test func `where nothing is wrong each line is ok, nothing is changed, and the exit code is 0`() async throws {
        let subject = try await DoctorSubject()
        try await subject.expectSound()
        let told = try await subject.told()
        let checks = [
            "socket", "descriptors", "memory", "database", "pooler", "connections", "queries", "role", "scans",
            "changes",
        ]
        #expect(told.split(separator: "\n").count == checks.count, "\(told)")
        for (line, check) in zip(told.split(separator: "\n"), checks) { #expect(line.hasPrefix("ok    \(check) ")) }
        #expect(try await subject.database.run("select count(*) from pg_prepared_statements") == "0")
        // Neither while a sidecar of the same settings serves.
        let settings = "database: { url: \"\(subject.url(subject.role))\" }\ngroups:\n  \(subject.groups)"
        try await withSidecar(settings) { sidecar in
            subject.sections["listen"]?["socket"] = sidecar.socket
            let findings = try await subject.examine().findings
            #expect(findings.allSatisfy { $0.severity == "ok" }, "\(findings)")
            #expect(findings.contains { $0.seen.contains("a program listens there") })
        }
    }

    @Test func `a database that can't be reached is told, and what needs none all the same`() async throws {
        let subject = try await DoctorSubject()
        subject.sections["database"] = ["url": "\"postgresql:///x?host=/nowhere\""]
        let (findings, end) = try await subject.examine()
        #expect(end == .code(4))
        #expect(findings.map(\.check) == ["socket", "descriptors", "memory", "database"])
        #expect(findings.last?.severity == "fail" && findings.last?.seen.contains("can't be reached") == true)
    }

    @Test func `mistakes in the settings file are told as always`() async throws {
        let subject = try await DoctorSubject()
        subject.groups = "word: { sql: select 1, tll: 5s }"
        #expect(try await subject.told().hasPrefix("a.yaml:5:26: groups.word.tll: "))
    }

    // MARK: This machine

    @Test func `the socket's folder is missing`() async throws {
        let subject = try await DoctorSubject()
        let folder = "\(subject.folder)/it's no"
        subject.sections["listen"]?["socket"] = "\"\(folder)/s.sock\""
        try await subject.expectMended(
            "socket", "fail", seeing: "does not exist",
            by: ["run: install -d -m 0755 '\(subject.folder)/it'\\''s no'"])
    }

    @Test func `others may put a socket of their own there`() async throws {
        let subject = try await DoctorSubject()
        chmod(subject.folder, 0o777)
        try await subject.expectMended(
            "socket", "fail", seeing: "everybody may write to \(subject.folder)",
            by: ["run: chmod o-w \(subject.folder)"])
    }

    @Test(.enabled(if: geteuid() == 0, "another user's process needs root"))
    func `the folder is not the sidecar's`() async throws {
        let subject = try await DoctorSubject()
        subject.wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        // Written before the folder is another's.
        subject.sections["listen"]?["socket"] = "\(subject.folder)/own/s.sock"
        let own = "\(subject.folder)/own"
        try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
        chmod(own, 0o755)
        try await subject.expectMended(
            "socket", "fail", seeing: "not writable for user 65534",
            by: ["run: chown 65534 \(own) && chmod u+wx \(own)"])
    }

    @Test func `something else is at the socket's path`() async throws {
        let subject = try await DoctorSubject()
        try "x".write(toFile: subject.socket, atomically: true, encoding: .utf8)
        try await subject.expectMended(
            "socket", "fail", seeing: "exists and is no socket", by: ["run: mv \(subject.socket) \(subject.socket).old"]
        )
    }

    @Test func `every user of the machine may connect`() async throws {
        let subject = try await DoctorSubject()
        subject.sections["listen"]?["mode"] = "\"0666\""
        try await subject.expectMended(
            "socket", "warn", seeing: "every user of this machine", by: ["set: listen.mode: \"0660\""])
    }

    @Test func `whom the socket lets in can't pass its folder`() async throws {
        let subject = try await DoctorSubject()
        chmod(subject.folder, 0o700)
        try await subject.expectMended(
            "socket", "warn", seeing: "can't pass its folder", by: ["run: chmod g+x \(subject.folder)"])
    }

    @Test func `there are too few descriptors`() async throws {
        let subject = try await DoctorSubject()
        subject.wrapper = ["prlimit", "--nofile=80:80"]
        let found = try #require(try await subject.examine().findings.first { $0.check == "descriptors" })
        #expect(found.severity == "warn" && found.seen.contains("up to 80 may be open"), "\(found)")
        let remedy = try #require(found.remedies.first)
        try await subject.carryOut(remedy)
        try await subject.expectSound()
        subject.wrapper = ["prlimit", "--nofile=40:40"]
        let worse = try await subject.examine().findings.first { $0.check == "descriptors" }
        #expect(worse?.severity == "fail" && worse?.remedies.first?.text.hasPrefix("ulimit -n ") == true)
    }

    @Test func `there is less memory than the settings speak of`() async throws {
        let subject = try await DoctorSubject()
        subject.sections[""]?["memory"] = "900GiB"
        let found = try #require(try await subject.examine().findings.first { $0.check == "memory" })
        #expect(found.severity == "fail" && found.seen.hasPrefix("921600 MiB for entries"), "\(found)")
        try await subject.carryOut(try #require(found.remedies.first))
        try await subject.expectSound()
    }

    // MARK: Connections

    @Test func `the role, or the database, takes fewer connections than the sidecar makes`() async throws {
        let subject = try await DoctorSubject()
        try await subject.database.run("alter role \(subject.role) connection limit 2")
        try await subject.expectMended(
            "connections", "fail", seeing: "the role takes 2 and has 0; this sidecar makes 3",
            by: ["sql: ALTER ROLE \(subject.role) CONNECTION LIMIT 6;"])
        let name = subject.database.name
        try await subject.database.run("alter database \(name) connection limit 3")
        try await subject.expectMended(
            "connections", "warn", seeing: "the database takes 3 and has 0; this sidecar makes 3",
            by: ["sql: ALTER DATABASE \(name) CONNECTION LIMIT 6;"])
    }

    @Test func `the server takes fewer connections than all sidecars make`() async throws {
        try await DoctorSubject.with(["max_connections": "14"]) { subject in
            let settings =
                "database: { url: \"\(subject.url(subject.role))\", connections: 6 }\ngroups:\n  \(subject.groups)"
            try await withSidecar(settings) { sidecar in
                #expect(try await eventually { try sidecar.info("database_connections_ready") == "6" })
                subject.sections["database"]?["connections"] = "5"
                let found = try #require(try await subject.examine().findings.first { $0.check == "connections" })
                #expect(
                    found.severity == "fail"
                        && found.seen == "the server takes 11 and has 6; this sidecar makes 6; all sidecars have 6",
                    "\(found)")
                #expect(
                    found.remedies.map(\.text) == ["ALTER SYSTEM SET max_connections = 27; -- then restart the server"])
                for remedy in found.remedies { try await subject.carryOut(remedy) }
                try await subject.expectSound()
            }
        }
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: PgBouncer.program), "PgBouncer is not installed"))
    func `a pooler is in the way`() async throws {
        let subject = try await DoctorSubject()
        let pooler = try await PgBouncer(before: subject.database.server)
        let url = pooler.url.replacing("/postgres?", with: "/\(subject.database.name)?")
        subject.sections["database"]?["url"] = "\"\(url)\""
        let (findings, _) = try await subject.examine()
        let found = try #require(findings.first { $0.check == "pooler" })
        #expect(found.severity == "warn" && found.seen.contains("prepared statements are not there"), "\(findings)")
        try await subject.carryOut(try #require(found.remedies.first))
        let mended = try #require(try await subject.examine().findings.first { $0.check == "pooler" })
        #expect(mended.severity == "ok", "\(mended)")

        subject.sections["invalidation"] = ["source": "notify"]
        subject.groups = DoctorChangesTests.followed
        let deaf = try #require(try await subject.examine().findings.first { $0.check == "pooler" })
        #expect(deaf.severity == "fail" && deaf.remedies.first?.text.hasPrefix("invalidation.url: ") == true, "\(deaf)")
        subject.sections["invalidation"]?["url"] = "\"\(subject.database.url)\""
        let heard = try #require(try await subject.examine().findings.first { $0.check == "pooler" })
        #expect(heard.severity == "ok", "\(heard)")
        await pooler.stop()
    }

    // MARK: Queries

    @Test func `the role may not read a table, use a schema, or call a function`() async throws {
        let subject = try await DoctorSubject()
        try await subject.database.run(
            """
            create schema sales; create table sales."Order"(id int primary key); create table sales.line(id int primary key);
            create view sales.whole as select o.id from sales."Order" o join sales.line l using (id);
            create function sales.twice(int) returns int language sql as 'select 2 * $1';
            revoke execute on function sales.twice(int) from public
            """)
        subject.groups = """
            order: { sql: 'select o.id from sales."Order" o join sales.line l using (id) where o.id = $1' }
            """
        // Who may not look into the schema learns only then what is in it.
        let first = try #require(try await subject.examine().findings.first { $0.check == "queries" })
        #expect(first.severity == "fail")
        #expect(first.remedies.map(\.text) == ["GRANT USAGE ON SCHEMA sales TO \(subject.role);"], "\(first)")
        for remedy in first.remedies { try await subject.carryOut(remedy) }
        try await subject.expectMended(
            "queries", "fail", seeing: "permission denied",
            by: [#"sql: GRANT SELECT ON sales."Order", sales.line TO \#(subject.role);"#])
        try await subject.database.run(#"revoke select on sales."Order", sales.line from \#(subject.role)"#)
        subject.groups = "whole: { sql: 'select id from sales.whole where id = $1' }"
        try await subject.expectMended(
            "queries", "fail", seeing: "permission denied", by: ["sql: GRANT SELECT ON sales.whole TO \(subject.role);"]
        )
        subject.groups = "twice: { sql: 'select sales.twice($1)' }"
        try await subject.expectMended(
            "queries", "fail", seeing: "permission denied",
            by: ["sql: GRANT EXECUTE ON FUNCTION sales.twice(integer) TO \(subject.role);"])
    }

    @Test func `the database refuses a query`() async throws {
        let subject = try await DoctorSubject()
        subject.groups = "word: { sql: 'select txet from word where id = $1' }"
        let (findings, end) = try await subject.examine()
        let found = findings.filter { $0.severity == "fail" }
        #expect(end == .code(4) && found.map(\.check) == ["queries"])
        #expect(found.first?.seen.contains("a.yaml:5:24: groups.word: ") == true, "\(found)")
    }

    @Test func `the role may do more than read`() async throws {
        let subject = try await DoctorSubject()
        try await subject.database.run("grant update on word to \(subject.role)")
        func expect(_ seen: String, as role: String = "pgsidecar", by sql: String) async throws {
            let found = try #require(try await subject.examine().findings.first { $0.check == "role" })
            #expect(found.severity == "warn" && found.seen.contains(seen), "\(found)")
            #expect(found.remedies.map(\.kind) == ["sql", "set"] && found.remedies.first?.text == sql, "\(found)")
            try await subject.carryOut(found.remedies[0])
            let before = subject.sections["database"]
            subject.sections["database"]?["url"] = "\"\(subject.url(role))\""
            try await subject.expectSound()
            subject.sections["database"] = before
        }
        try await expect(
            "may change public.word", by: "CREATE ROLE pgsidecar LOGIN; GRANT SELECT ON public.word TO pgsidecar;")
        subject.sections["database"]?["url"] = "\"\(subject.url("postgres"))\""
        try await expect("is a superuser", by: "GRANT SELECT ON public.word TO pgsidecar;")
        try await subject.database.run(
            """
            create schema sales; create table sales.line(id int primary key); grant usage on schema sales to pgsidecar;
            grant select, delete on sales.line to pgsidecar
            """)
        subject.groups = "line: { sql: 'select id from sales.line where id = $1' }"
        subject.sections["database"]?["url"] = "\"\(subject.url("pgsidecar"))\""
        try await expect(
            "pgsidecar may change sales.line", as: "pgsidecar_reader",
            by: "CREATE ROLE pgsidecar_reader LOGIN; GRANT USAGE ON SCHEMA sales TO pgsidecar_reader; "
                + "GRANT SELECT ON sales.line TO pgsidecar_reader;")
    }

    @Test func `getters may write`() async throws {
        let subject = try await DoctorSubject()
        subject.sections["database"]?["read_only"] = "off"
        try await subject.expectMended(
            "role", "warn", seeing: "getters may write", by: ["set: database.read_only: on"])
    }

    @Test(arguments: [
        ("number = $1", "(number)"), ("code = $1", "(code)"), ("\"Kind\" = $1 and number = $2", "(number, \"Kind\")"),
    ])
    func `a load reads a whole table`(condition: String, index: String) async throws {
        let subject = try await DoctorSubject()
        try await subject.database.run(
            """
            create table large(id int primary key, number int, code varchar, "Kind" text, filler text);
            insert into large select i, i, 'c' || i, i, repeat('x', 100) from generate_series(1, 20000) i;
            grant select on large to \(subject.role)
            """)
        subject.groups = "large: { sql: 'select id from large l where \(condition)' }"
        try await subject.expectMended(
            "scans", "warn", seeing: "large: each load reads all of public.large, ",
            by: ["sql: CREATE INDEX CONCURRENTLY ON public.large \(index);"])
    }

    @Test func `a load reads all of a partitioned table, or compares what no index has`() async throws {
        let subject = try await DoctorSubject()
        try await subject.database.run(
            """
            create table parted(id int, number int, filler text) partition by range (id);
            create table parted_1 partition of parted for values from (0) to (10000);
            create table parted_2 partition of parted for values from (10000) to (30000);
            insert into parted select i, i, repeat('x', 100) from generate_series(1, 20000) i;
            grant select on parted to \(subject.role)
            """)
        subject.groups = "parted: { sql: 'select id from parted where number = $1' }"
        try await subject.expectMended(
            "scans", "warn", seeing: "parted: each load reads all of public.parted, ",
            by: ["sql: CREATE INDEX ON public.parted (number);"])
        subject.groups = """
            parted: { sql: 'select id from parted where abs(number) = $1::int' }
            all: { sql: 'select count(filler) from parted' }
            """
        let found = try await subject.examine().findings.filter { $0.check == "scans" }
        #expect(found.map(\.severity) == ["warn", "warn"])
        #expect(found.first?.remedies.first?.text.contains("abs(") == true, "\(found)")
        #expect(found.last?.seen.contains("asks for all rows") == true, "\(found)")
    }
}
