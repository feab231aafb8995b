extension Dictionary where Value == Int {
    /// Counts a key down; at nothing it is gone. One that is not there stays so. O(1).
    package mutating func countDown(_ key: Key) {
        guard let count = self[key] else { return }
        self[key] = count > 1 ? count - 1 : nil
    }
}
