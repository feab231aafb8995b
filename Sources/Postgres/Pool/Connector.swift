import Groundwork

/// Connects on a thread of its own, has the getters described if nobody did so yet, and calls `completion` there.
/// False when there is no thread; `completion` is not called then.
func connectDetached(
    _ context: DatabaseContext,
    _ completion: @escaping @Sendable (Result<Parcel<PQConnection>, ConnectError>) -> Void
) -> Bool {
    runDetached {
        do throws(ConnectError) {
            let connection = try PQConnection.connect(context.settings)
            try context.catalog.describeOnce(context, on: connection)
            completion(.success(Parcel(connection)))
        } catch {
            completion(.failure(error))
        }
    }
}
