import Groundwork
import Postgres
import PrivateDatabase

/// A PostgreSQL with pgbench's tables and a sidecar before it, of the run's own.
struct PrivateTestbed: Sendable {
    let postgres: PrivatePostgres
    private let sidecar: SidecarProcess
    private let options: Bench.Options

    private static let accounts = 100_000
    private static let branches = 10

    private static let accountSQL = "select aid, bid, abalance from pgbench_accounts where aid = $1"
    private static let writeSQL = "update pgbench_accounts set abalance = abalance + 1 where aid = $1"
    private static let branchSQL =
        "select count(*) as accounts, sum(abalance) as balance from pgbench_accounts where bid = $1"

    /// Starts both, in a folder to make, which is removed however this process ends.
    init(in folder: String, _ options: Bench.Options) async throws {
        self.options = options
        let program = Folder.resolved("/proc/self/exe")
        postgres = try await PrivatePostgres(
            in: "\(folder)/postgres", settings: ["max_connections": "\(options.connections + 50)"], removing: [folder])
        let folder = Folder.resolved(folder)
        do {
            _ = try await postgres.psql(Self.schema)
            let settings = Self.settings(postgres.url, clients: options.connections)
            try await SidecarProcess.install(program, settings: settings, in: folder)
            sidecar = try await SidecarProcess(program, settings: settings, in: folder)
        } catch {
            await postgres.remove()
            throw error
        }
    }

    /// What is asked there. Blocks for a moment.
    var testbed: Testbed {
        get throws {
            var database = DatabaseSettings()
            database.url = Secret(postgres.url)
            let count = min(options.keys, Self.accounts)
            let accounts = Testbed.shuffled((1...count).map { "\($0)" }, options.seed)
            let branches = (1...min(options.hotKeys, Self.branches)).map { "\($0)" }
            var testbed = try Testbed(
                server: ServerAddress(sidecar.socket), database: database,
                group: .init(
                    name: "account", sql: Self.accountSQL, returns: .row,
                    keys: KeySet(arguments: accounts, prefix: "account:")),
                hotGroup: .init(
                    name: "branch", sql: Self.branchSQL, returns: .row,
                    keys: KeySet(arguments: branches, prefix: "branch:")),
                description: "a private PostgreSQL with pgbench's tables (\(Self.accounts.grouped) accounts)",
                toldBy: "triggers (source: notify)")
            testbed.write = KeyedStatement(Self.writeSQL, keyParts: 1)
            return testbed
        }
    }

    /// Ends both and removes the folder.
    func remove() async {
        await sidecar.end()
        await postgres.remove()
    }

    /// As `pgbench -i` makes them, but for ten branches of ten thousand accounts each.
    private static let schema = """
        create table pgbench_accounts (aid int not null primary key, bid int, abalance int, filler char(84));
        insert into pgbench_accounts
            select aid, (aid - 1) / \(accounts / branches) + 1, 0, '' from generate_series(1, \(accounts)) aid;
        analyze pgbench_accounts;
        do $$ begin create extension pg_stat_statements; exception when others then null; end $$;
        """

    private static func settings(_ url: String, clients: Int) -> String {
        """
        database: { url: '\(url)' }
        invalidation: { source: notify, on_stream_loss: serve_until_ttl }
        log: { level: warning }
        defaults: { ttl: 1h, load_timeout: 30s }
        groups:
          account:
            sql: \(accountSQL)
            invalidate_on: [{ table: public.pgbench_accounts, key: [aid] }]
          branch:
            sql: \(branchSQL)
        """
    }
}
