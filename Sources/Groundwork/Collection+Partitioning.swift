extension RandomAccessCollection {
    /// Where the second part begins, in a collection whose elements in the first part all lack a property and in the second all
    /// have it; its end when none has. O(log n). As in swift-algorithms.
    package func partitioningIndex(where hasProperty: (Element) -> Bool) -> Index {
        var low = startIndex
        var count = count
        while count > 0 {
            let half = count / 2
            let middle = index(low, offsetBy: half)
            if hasProperty(self[middle]) {
                count = half
            } else {
                low = index(after: middle)
                count -= half + 1
            }
        }
        return low
    }
}
