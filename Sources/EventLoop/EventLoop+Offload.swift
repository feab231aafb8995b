import Groundwork

extension EventLoop {
    /// Runs `work`, which may block, on a thread of its own, and hands what it brought to `completion` on this loop. False when
    /// the system gives no thread; then neither is called. Any thread.
    public func offload<Product: ~Copyable & Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Product,
        completion: @escaping @Sendable (consuming Result<Product, Failure>) -> Void
    ) -> Bool {
        startThread { [self] in
            let result: Parcel<Result<Product, Failure>>
            do throws(Failure) {
                result = Parcel(.success(try work()))
            } catch {
                result = Parcel(.failure(error))
            }
            submit {
                if let result = result.take() { completion(result) }
            }
        }
    }
}
