import RESP

/// The commands by name.
struct CommandTable: Sendable {
    /// Every command that is served.
    static let served: [any Command.Type] = [
        // Asking.
        Get.self, MGet.self, HGetAll.self, HGet.self, HMGet.self, Exists.self, Peek.self,
        Refresh.self,
        // What is in memory.
        TTL.self, PTTL.self, Touch.self, DBSize.self, Scan.self,
        // Invalidating.
        Del.self, Unlink.self, FlushDB.self, FlushAll.self, FlushGroup.self,
        // Keyspace events.
        Subscribe.self, Unsubscribe.self, PSubscribe.self, PUnsubscribe.self,
        // The connection.
        Ping.self, Echo.self, Hello.self, Auth.self, Select.self, Client.self, Reset.self, Quit.self,
        // The server.
        Info.self, Config.self, CommandCommand.self, Statistics.self, Hot.self,
    ]

    /// The table of ``served``.
    static let standard = CommandTable(served)

    /// What dispatching needs, without asking the type and without counting a reference.
    struct Entry: Sendable {
        let word: CommandWord
        let type: any Command.Type
        let needsNoPassword: Bool
        let isForSubscribers: Bool
        private let least: Int
        private let most: Int

        init(_ type: any Command.Type) {
            self.type = type
            word = CommandWord(Array(type.name.utf8).span.bytes)
            needsNoPassword = type.needsNoPassword
            isForSubscribers = type.isForSubscribers
            least = abs(type.arity)
            most = type.arity < 0 ? .max : type.arity
        }

        /// Whether it takes so many arguments, its name included.
        func accepts(_ count: Int) -> Bool { least <= count && count <= most }
    }

    /// An open hash table of indices into `entries`; -1: empty. Three quarters of it at least are.
    private let slots: [Int16]
    private let entries: [Entry]

    init(_ commands: [any Command.Type]) {
        entries = commands.map { Entry($0) }
        var count = 8
        while count < commands.count * 4 { count *= 2 }
        var slots = [Int16](repeating: -1, count: count)
        for (index, command) in commands.enumerated() {
            var slot = Self.hash(Array(command.name.utf8).span.bytes) & (count - 1)
            while slots[slot] >= 0 { slot = (slot + 1) & (count - 1) }
            slots[slot] = Int16(index)
        }
        self.slots = slots
    }

    /// Finds a command by its name as it came from the client; O(1).
    func command(named name: RawSpan) -> Entry? {
        let word = CommandWord(name)
        var slot = Self.hash(name) & (slots.count - 1)
        while slots[slot] >= 0 {
            let index = Int(slots[slot])
            if entries[index].word == word { return entries[index] }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// First and last byte in lower case, and the length: enough to spread some hundred names.
    @inline(__always)
    private static func hash(_ name: RawSpan) -> Int {
        let count = name.byteCount
        guard count > 0 else { return 0 }
        // Bytes within bounds.
        let first = Int(name.unsafeLoad(fromByteOffset: 0, as: UInt8.self) | 0x20)
        let last = Int(name.unsafeLoad(fromByteOffset: count - 1, as: UInt8.self) | 0x20)
        return first &* 7 &+ last &* 31 &+ count &* 3
    }
}
