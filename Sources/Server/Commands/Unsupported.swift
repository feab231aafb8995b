import RESP

/// Commands that Redis has and this has not. Each gets a plain error that says why.
enum Unsupported {
    /// The error for a command; nil when Redis does not have it either, or nobody would expect it here.
    static func text(_ request: Request) -> String? {
        let name = request.string(at: 0)
        guard name.utf8.count <= CommandWord.capacity, let reason = reasons[name.lowercased()] else { return nil }
        switch reason {
        case .write:
            return "ERR \(name.uppercased()) is not supported: values come from PostgreSQL; change the row there"
        case .lifetime:
            return "ERR \(name.uppercased()) is not supported: how long an entry lives is a setting of its group"
        case .later: return ErrorText.notInThisVersion(name)
        case .publishing:
            return "ERR \(name.uppercased()) is not supported: what is published here are keyspace events"
        case .cluster: return "ERR This instance has cluster support disabled"
        case .script:
            return "ERR \(name.uppercased()) is not supported: there are no scripts; a group's query does the work"
        case .keyListing: return "ERR \(name.uppercased()) is not supported: use SCAN"
        }
    }

    private enum Reason {
        case write
        case lifetime
        case later
        case publishing
        case cluster
        case script
        case keyListing
    }

    private static let reasons: [String: Reason] = {
        let names: [(Reason, String)] = [
            (
                .write,
                """
                append bitfield bitop blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin copy decr decrby \
                getdel getset geoadd hdel hincrby hincrbyfloat hmset hset hsetnx incr incrby incrbyfloat linsert lmove \
                lmpop lpop lpush lpushx lrem lset ltrim migrate move mset msetnx pfadd pfmerge psetex rename renamenx \
                restore rpop rpoplpush rpush rpushx sadd set setbit setex setnx setrange smove sort spop srem swapdb xack \
                xadd xdel xtrim zadd zincrby zpopmax zpopmin zrem
                """
            ),
            (
                .lifetime,
                """
                expire expireat getex hexpire hexpireat hpersist hpexpire hpexpireat persist pexpire pexpireat
                """
            ),
            (.later, "ssubscribe sunsubscribe"),
            (.publishing, "publish spublish"),
            (.cluster, "asking cluster readonly readwrite"),
            (.script, "eval eval_ro evalsha evalsha_ro fcall fcall_ro function script"),
            (.keyListing, "keys randomkey"),
        ]
        var reasons: [String: Reason] = [:]
        for (reason, list) in names {
            for name in list.split(separator: " ") { reasons[String(name)] = reason }
        }
        return reasons
    }()
}
