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
        Peek.self, Refresh.self, GetAfter.self, MGetAfter.self, HGetAllAfter.self, FlushGroup.self, Statistics.self,
        Hot.self, Reload.self, Reconnect.self,
    ]

    /// Where `GET` stands in it: the short way of plain GETs knows no other command.
    static let get = 0

    /// The table of ``served``.
    static let standard = CommandTable(served)

    /// What dispatching needs, without asking the type and without counting a reference, which all loops would share.
    struct Entry: Sendable {
        let type: any Command.Type
        let arity: CommandSyntax.Arity
        let keys: KeyPositions
        let readsValues: Bool
        let needsNoPassword: Bool
        let isForSubscribers: Bool
        let isForAdministrators: Bool
        let inTransaction: WithinTransaction
        let isRepeatable: Bool
        /// Where it stands in ``CommandTable/served``.
        let index: Int

        init(_ type: any Command.Type, index: Int) {
            self.type = type
            self.index = index
            arity = CommandSyntax(type.syntax).arity
            keys = type.keys
            readsValues = type.readsValues
            needsNoPassword = type.needsNoPassword
            isForSubscribers = type.isForSubscribers
            isForAdministrators = type.isForAdministrators
            inTransaction = type.inTransaction
            isRepeatable = type.isRepeatable
        }
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
