/// Redis' patterns: `*` any bytes, `?` any byte, `[a-z]` and `[^a-z]` one of a set, `\` takes the next byte as it is.
enum Glob {
    /// Whether the whole of `text` matches. O(text × pattern) at worst: a star that fails is only ever moved on, and those
    /// before it are never tried again.
    static func matches(_ text: [UInt8], _ pattern: [UInt8]) -> Bool {
        var place = 0
        var offset = 0
        var star: (place: Int, offset: Int)?
        while offset < text.count {
            if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                star = (place, offset)
                place += 1
            } else if let next = match(text[offset], pattern, at: place) {
                place = next
                offset += 1
            } else if let last = star {
                star = (last.place, last.offset + 1)
                place = last.place + 1
                offset = last.offset + 1
            } else {
                return false
            }
        }
        return pattern[place...].allSatisfy { $0 == UInt8(ascii: "*") }
    }

    /// The place behind the element that stands at `place` if it matches `byte`.
    private static func match(_ byte: UInt8, _ pattern: [UInt8], at place: Int) -> Int? {
        guard place < pattern.count else { return nil }
        switch pattern[place] {
        case UInt8(ascii: "?"): return place + 1
        case UInt8(ascii: "["): return matchSet(byte, pattern, at: place + 1)
        case UInt8(ascii: "\\") where place + 1 < pattern.count:
            return pattern[place + 1] == byte ? place + 2 : nil
        default: return pattern[place] == byte ? place + 1 : nil
        }
    }

    /// A set that is not closed ends with the pattern.
    private static func matchSet(_ byte: UInt8, _ pattern: [UInt8], at start: Int) -> Int? {
        var place = start
        let isNegated = place < pattern.count && pattern[place] == UInt8(ascii: "^")
        if isNegated { place += 1 }
        var isIn = false
        while place < pattern.count, pattern[place] != UInt8(ascii: "]") {
            if pattern[place] == UInt8(ascii: "\\"), place + 1 < pattern.count { place += 1 }
            let low = pattern[place]
            if place + 2 < pattern.count, pattern[place + 1] == UInt8(ascii: "-"),
                pattern[place + 2] != UInt8(ascii: "]")
            {
                let high = pattern[place + 2]
                if (min(low, high)...max(low, high)).contains(byte) { isIn = true }
                place += 3
            } else {
                if low == byte { isIn = true }
                place += 1
            }
        }
        return isIn != isNegated ? min(place + 1, pattern.count) : nil
    }
}
