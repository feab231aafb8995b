/// The candidate that was most likely meant by `name`, or nil when none is near: at most a third of the letters differ.
func nearestName(to name: String, among candidates: [String]) -> String? {
    let ranked = candidates.map { ($0, editDistance(name.lowercased(), $0.lowercased())) }
    guard let (nearest, distance) = ranked.min(by: { $0.1 < $1.1 }) else { return nil }
    return distance <= max(1, max(name.count, nearest.count) / 3) ? nearest : nil
}

/// How many insertions, deletions, substitutions and swaps of neighbours lead from one word to the other (the restricted
/// Damerau-Levenshtein distance). Three rows of the table are enough, since a swap looks back by two.
func editDistance(_ left: String, _ right: String) -> Int {
    let left = Array(left)
    let right = Array(right)
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            var best = min(row[j] + 1, last[j + 1] + 1, last[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                best = min(best, beforeLast[j - 1] + 1)
            }
            row.append(best)
        }
        (beforeLast, last) = (last, row)
    }
    return last[right.count]
}
