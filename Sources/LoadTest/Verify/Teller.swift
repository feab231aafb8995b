/// Tells a sidecar that hears of nothing by itself which keys changed; and the ways to do that wrong, which the check has to
/// find.
struct Teller: Sendable {
    /// The sidecar's socket.
    let socket: String
    /// Whether it is told before the commit: a load between the two keeps what was.
    let isEarly: Bool
    /// Whether it is sometimes not told at all.
    let isForgetful: Bool

    func tells(of version: Int64) -> Bool { !isForgetful || version % 97 != 0 }
}
