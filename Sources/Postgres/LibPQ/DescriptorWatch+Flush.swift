import EventLoop

extension DescriptorWatch {
    /// Waits for what the outcome of a flush asks for. False when the connection is lost.
    mutating func follow(_ flushed: PQConnection.Flush) -> Bool {
        switch flushed {
        case .done: waitForWriting(false)
        case .partly: waitForWriting(true)
        case .failed: return false
        }
        return true
    }
}
