/// Network addresses as PostgreSQL writes them, told from all other texts that its input takes for them.
enum Address {
    /// Whether `text` is how an `inet` is written: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::1`. IPv6 addresses of which the end may
    /// be written as an IPv4 one are not recognised.
    static func isOwn(_ text: UnsafeRawBufferPointer) -> Bool {
        let end = text.firstIndex(of: UInt8(ascii: "/")) ?? text.count
        let address = UnsafeRawBufferPointer(rebasing: text[..<end])
        let bits: UInt64 = address.contains(UInt8(ascii: ":")) ? 128 : 32
        guard bits == 32 ? isIPv4(address) : isIPv6(address) else { return false }
        return end == text.count
            || Digits.isCount(UnsafeRawBufferPointer(rebasing: text[(end + 1)...]), limit: bits - 1)
    }

    private static func isIPv4(_ text: UnsafeRawBufferPointer) -> Bool {
        let octets = text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
        return octets.count == 4
            && octets.allSatisfy { Digits.isCount(UnsafeRawBufferPointer(rebasing: $0), limit: 255) }
    }

    /// Reads the words and writes them as `inet_net_ntop` does: it is the address's own text if that is the same.
    private static func isIPv6(_ text: UnsafeRawBufferPointer) -> Bool {
        guard text.count <= 39, let words = words(of: text) else { return false }
        // The longest run of zeros, of two at least, and of several the first.
        var best = 0..<0
        var start = 0
        for (index, word) in words.enumerated() {
            if word != 0 { start = index + 1 }
            if index + 1 - start >= 2, index + 1 - start > best.count { best = start..<index + 1 }
        }
        let isLikeIPv4 = best.count == 5 || best.count == 6 || best.count == 7 && words[7] != 1
        if best.lowerBound == 0, isLikeIPv4 { return false }
        func written(_ words: ArraySlice<UInt16>) -> String {
            words.map { String($0, radix: 16) }.joined(separator: ":")
        }
        let own =
            best.isEmpty
            ? written(words[...]) : written(words[..<best.lowerBound]) + "::" + written(words[best.upperBound...])
        return text.elementsEqual(own.utf8)
    }

    /// The eight words of an address of hexadecimal digits, with `::` for zeros once at most.
    private static func words(of text: UnsafeRawBufferPointer) -> [UInt16]? {
        var front: [UInt16] = []
        var back: [UInt16]?
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // `::` at the beginning and at the end makes two empty parts there.
                if index == 0 || index == parts.count - 1 { continue }
                guard back == nil else { return nil }
                back = []
                continue
            }
            guard part.count <= 4, let word = UInt16(String(decoding: part, as: UTF8.self), radix: 16) else {
                return nil
            }
            if back == nil { front.append(word) } else { back?.append(word) }
        }
        guard let back else { return front.count == 8 ? front : nil }
        let missing = 8 - front.count - back.count
        return missing > 0 ? front + Array(repeating: 0, count: missing) + back : nil
    }
}
