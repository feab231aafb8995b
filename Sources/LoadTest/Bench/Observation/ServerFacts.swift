/// What a server that speaks RESP tells of itself by INFO.
struct ServerFacts: Sendable {
    /// Its process, if that is one of this machine.
    var process: Int32?
    /// Its version.
    var version: String?

    /// Asks a server; nil when it does not answer. Blocks.
    init?(of server: ServerAddress) {
        guard var connection = try? BlockingConnection.connect(to: server), let reply = try? connection.ask(["INFO"]),
            let text = reply.text
        else { return nil }
        func field(_ name: String) -> String? {
            let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix("\(name):") }
            return line.map { String($0.dropFirst(name.utf8.count + 1)) }
        }
        version = field("pgsidecar_version") ?? field("valkey_version") ?? field("redis_version")
        // In another namespace the number may be some other process' here.
        process = field("process_id").flatMap { Int32($0) }.flatMap { process in
            let name = ProcessorTime.name(of: process) ?? ""
            return ["pgsidecar", "redis", "valkey"].contains { name.hasPrefix($0) } ? process : nil
        }
    }

    /// Its processor seconds since it started.
    var processorSeconds: Double? { process.flatMap { ProcessorTime.of($0) } }
}
