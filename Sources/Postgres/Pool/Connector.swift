import Groundwork

/// Connects on a thread of its own, has the getters described if nobody did so yet, and calls `completion` there.
/// False when there is no thread; `completion` is not called then.
func connectDetached(
    _ context: DatabaseContext,
    _ completion: @escaping @Sendable (Result<Parcel<Session>, ConnectError>) -> Void
) -> Bool {
    startThread {
        do throws(ConnectError) {
            let session = try Session.open(context)
            try context.catalog.describeOnce(context, on: session.link)
            completion(.success(Parcel(session)))
        } catch {
            completion(.failure(error))
        }
    }
}
