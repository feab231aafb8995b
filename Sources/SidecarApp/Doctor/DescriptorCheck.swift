import Server

/// Whether the process may open as many files as clients and database connections take.
enum DescriptorCheck {
    static func findings(_ settings: Settings) -> [Finding] {
        let own = Descriptors.own(settings)
        let wanted = settings.listen.maxClients + own
        let limit = Descriptors.hardLimit
        guard limit < wanted else {
            return [
                .ok("up to \(limit) may be open; \(settings.listen.maxClients) clients and the database take \(wanted)")
            ]
        }
        let seen =
            "up to \(limit) may be open, and \(settings.listen.maxClients) clients and the database take \(wanted); "
            + "raise LimitNOFILE= of the unit, or ulimit -n, to \(wanted), or have fewer clients"
        guard limit > own else { return [.fail(seen, .run("ulimit -n \(wanted)"))] }
        return [.warn(seen, .set("listen.max_clients: \(limit - own)"))]
    }
}
