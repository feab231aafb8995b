/// Where, when and how a run was made.
struct RunDescription: Codable, Sendable, Equatable {
    /// When it began, as ISO 8601 in UTC.
    var started: String
    /// How long all of it took.
    var seconds: Double = 0
    /// The command line, without the program's name.
    var arguments: [String]
    var machine: Machine
    var versions: Versions
    /// What was asked, in words: `account of a private PostgreSQL with pgbench's tables`.
    var subject: String

    /// The machine that the generator ran on.
    struct Machine: Codable, Sendable, Equatable {
        var processor: String
        /// Those that this process may use.
        var cores: Int
        var memoryBytes: Int
        var kernel: String
    }

    /// Of the servers that were asked; nil when one was not.
    struct Versions: Codable, Sendable, Equatable {
        var pgsidecar: String
        var postgres: String?
        var redis: String?
    }
}

/// How a scenario's load is made.
struct LoadDescription: Codable, Sendable, Equatable {
    /// Asks a second in an open loop; nil: closed, each connection asks again when it is answered.
    var rate: Double?
    /// Connections of each way.
    var connections: Int
    /// Requests on their way on a connection at most.
    var pipeline: Int
    /// Keys in a request: GET with 1, MGET with more.
    var width: Int
    /// Measured seconds.
    var duration: Double
    /// Seconds before them.
    var warmUp: Double
    /// How many keys there are.
    var keys: Int
    /// Zipf's exponent; 0: each key as likely as any other.
    var skew: Double
    /// The group that they are keys of.
    var group: String
    /// The SQL that each way runs for one of them.
    var sql: String
    /// Of the generator.
    var threads: Int
}
