import RESP

/// The commands by name.
struct CommandTable: Sendable {
    /// Every command that is served, in the order of the docs.
    static let served: [any Command.Type] = [
        // Strings.
        Get.self, MGet.self, StrLen.self, GetRange.self,
        // Hashes.
        HGetAll.self, HGet.self, HMGet.self, HExists.self, HLen.self, HKeys.self, HVals.self, HStrLen.self, HScan.self,
        // Keys.
        Exists.self, TypeOf.self, TTL.self, PTTL.self, ExpireTime.self, PExpireTime.self, Touch.self, Object.self,
        Scan.self, Del.self, Unlink.self, Wait.self,
        // The connection.
        Ping.self, Echo.self, Hello.self, Auth.self, Select.self, Client.self, Reset.self, Quit.self,
        // Keyspace events.
        Subscribe.self, Unsubscribe.self, PSubscribe.self, PUnsubscribe.self, PubSub.self,
        // Transactions.
        Multi.self, Exec.self, Discard.self, Watch.self, Unwatch.self,
        // The server.
        DBSize.self, FlushAll.self, FlushDB.self, Info.self, Config.self, CommandCommand.self, Memory.self, Time.self,
        Role.self, ACL.self, Module.self, SlowLog.self, Latency.self,
        // What Redis does not have.
        Peek.self, Refresh.self, FlushGroup.self, Statistics.self, Hot.self,
    ]

    /// The table of ``served``.
    static let standard = CommandTable(served)

    /// What dispatching needs, without asking the type.
    struct Entry: Sendable {
        let type: any Command.Type
        let syntax: CommandSyntax
        let needsNoPassword: Bool
        let isForSubscribers: Bool
        let isForAdministrators: Bool
        let inTransaction: WithinTransaction
        /// Where it stands in ``CommandTable/served``.
        let index: Int

        init(_ type: any Command.Type, index: Int) {
            self.type = type
            self.index = index
            syntax = CommandSyntax(type.syntax)
            needsNoPassword = type.needsNoPassword
            isForSubscribers = type.isForSubscribers
            isForAdministrators = type.isForAdministrators
            inTransaction = type.inTransaction
        }

        /// Whether it takes so many words, its name included.
        func accepts(_ count: Int) -> Bool { syntax.accepts(count) }
    }

    private let entries: [CommandWord: Entry]

    init(_ commands: [any Command.Type]) {
        entries = Dictionary(
            uniqueKeysWithValues: commands.enumerated().map { index, type in
                (CommandWord(Array(type.name.utf8).span.bytes), Entry(type, index: index))
            })
    }

    /// Finds a command by its name as it came from the client; O(1).
    func command(named name: RawSpan) -> Entry? { entries[CommandWord(name)] }
}
