import CLibPQ
import Glibc

extension PQConnection {
    /// How far ``consumeInput()`` came.
    enum Input {
        /// The kernel tells when there is more.
        case done
        /// More was decrypted than libpq took, of which the kernel does not know: to be called again soon.
        case partly
        /// The connection is lost. What came before can still be taken.
        case lost
    }

    /// Reads what the kernel has.
    ///
    /// libpq reads at least 8 KiB, a TLS record holds up to 16: what OpenSSL keeps of one makes no descriptor readable. And
    /// libpq flushes here what was queued: never call this between a query and its sync.
    func consumeInput() -> Input {
        for _ in 0..<16 {
            guard PQconsumeInput(pointer) == 1 else { return .lost }
            guard holdsDecryptedInput else { return .done }
        }
        return .partly
    }

    /// Whether OpenSSL has bytes that libpq did not take.
    private var holdsDecryptedInput: Bool {
        guard PQsslInUse(pointer) == 1 else { return false }
        guard let session = PQsslStruct(pointer, "OpenSSL"), let pending = Self.pending else { return false }
        return pending(session) > 0
    }

    /// `SSL_pending(3)`. libpq brings OpenSSL along; linking it for one call would make it a dependency of the build.
    private static let pending: (@convention(c) (UnsafeMutableRawPointer) -> Int32)? = {
        guard let symbol = dlsym(UnsafeMutableRawPointer(bitPattern: 0), "SSL_pending") else { return nil }
        return unsafeBitCast(symbol, to: (@convention(c) (UnsafeMutableRawPointer) -> Int32).self)
    }()
}
