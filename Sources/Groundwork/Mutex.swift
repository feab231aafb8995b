public import Glibc

/// A value that only the holder of its lock can touch, with the interface of `Synchronization.Mutex`.
///
/// It stands on `pthread_mutex_t` because the thread sanitizer understands that one: the standard library's futex mutex is
/// not instrumented, so every access under it is reported as a race. The lock is not recursive. Hold it for a few memory
/// accesses at most, never across I/O, a callback or a call that may take another lock.
public struct Mutex<Value: ~Copyable>: ~Copyable, @unchecked Sendable {
    // Unchecked: `value` is reached through `withLock` alone. Both live in one allocation of their own, because a
    // pthread mutex must not move while this struct may.
    @usableFromInline let lock: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let value: UnsafeMutablePointer<Value>

    /// Wraps `initial`.
    public init(_ initial: consuming sending Value) {
        let cacheLine = 64
        let alignment = max(cacheLine, MemoryLayout<Value>.alignment)
        let offset = max(MemoryLayout<pthread_mutex_t>.size, MemoryLayout<Value>.alignment)
        let valueOffset =
            (offset + MemoryLayout<Value>.alignment - 1) / MemoryLayout<Value>.alignment * MemoryLayout<Value>.alignment
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: valueOffset + MemoryLayout<Value>.size, alignment: alignment)
        lock = block.bindMemory(to: pthread_mutex_t.self, capacity: 1)
        value = (block + valueOffset).bindMemory(to: Value.self, capacity: 1)
        pthread_mutex_init(lock, nil)
        value.initialize(to: initial)
    }

    deinit {
        value.deinitialize(count: 1)
        pthread_mutex_destroy(lock)
        UnsafeMutableRawPointer(lock).deallocate()
    }

    /// Runs `body` with the lock held and hands it the value.
    @inlinable
    public borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return try body(&value.pointee)
    }
}
