package import EventLoop
import Groundwork

extension EventLoop {
    /// Stops it and waits for the end of its thread, on none of the few threads that tests run on.
    package func end() async {
        stop()
        await withCheckedContinuation { continuation in
            let isStarted = startThread { [self] in
                join()
                continuation.resume()
            }
            if !isStarted { continuation.resume() }
        }
    }
}
