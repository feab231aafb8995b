import Groundwork

/// What is known of one client.
struct ClientRecord: Sendable {
    let id: Int
    let loop: Int
    let descriptor: Int32
    let credentials: PeerCredentials?
    let connected: Instant
    var name = ""
    var library = ""
    var libraryVersion = ""
    var version = 2

    /// The line of `CLIENT LIST`.
    func line(path: String, at now: Instant) -> String {
        let age = max(0, (now - connected).components.seconds)
        let user = credentials.map { " uid=\($0.user) pid=\($0.process)" } ?? ""
        return
            "id=\(id) addr=\(path):0 laddr=\(path):0 fd=\(descriptor) name=\(name) age=\(age) flags=U db=0 "
            + "resp=\(version) lib-name=\(library) lib-ver=\(libraryVersion) loop=\(loop)\(user)"
    }
}

/// Who is connected, over all loops: for `CLIENT LIST`. Touched when clients come, go and introduce themselves, never on
/// the way of a request.
final class ClientDirectory: Sendable {
    private let records = Groundwork.Mutex<[Int: ClientRecord]>([:])

    func add(_ record: ClientRecord) {
        records.withLock { $0[record.id] = record }
    }

    func remove(_ id: Int) {
        records.withLock { _ = $0.removeValue(forKey: id) }
    }

    /// Changes the record of a client that is connected.
    func update(_ id: Int, _ change: (inout ClientRecord) -> Void) {
        records.withLock { records in
            guard var record = records[id] else { return }
            change(&record)
            records[id] = record
        }
    }

    func record(of id: Int) -> ClientRecord? {
        records.withLock { $0[id] }
    }

    /// By id, ascending.
    var all: [ClientRecord] {
        records.withLock { Array($0.values) }.sorted { $0.id < $1.id }
    }
}
