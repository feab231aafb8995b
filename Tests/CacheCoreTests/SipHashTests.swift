import Testing

@testable import CacheCore

struct SipHashTests {
    /// Under a key of zeros, what CPython 3.11 has for bytes(range(count)) with PYTHONHASHSEED=0: another program's SipHash-1-3.
    @Test(
        arguments: [
            (1, 0x68a9_1412_8e01_e473), (3, 0x4d4c_9a4a_8ef6_e0ad), (7, 0x2f09_8ab0_c751_325a),
            (8, 0xead4_11e6_7ebe_2eea), (9, 0x7592_7f9d_9512_4362), (12, 0xa6ba_f4fb_0f9f_e1c2),
            (15, 0xf30e_b725_bb91_c9ea), (16, 0x8972_1884_33a5_c5b7), (23, 0x3733_2b13_89da_a4ff),
            (64, 0x75e0_5fd5_bbc8_70c6),
        ] as [(Int, UInt64)])
    func `it is what others compute`(_ count: Int, _ hash: UInt64) {
        let bytes = (0..<count).map { UInt8($0) }
        #expect(SipHash(k0: 0, k1: 0).hash(bytes.span.bytes) == hash)
    }

    @Test func `each byte, the length and both halves of the key count`() {
        var seen: [UInt64] = []
        for key: (UInt64, UInt64) in [(1, 0), (0, 1), (1, 1)] {
            for count in 0..<40 {
                for changed in 0...count {
                    var bytes = [UInt8](repeating: 0, count: count)
                    if changed < count { bytes[changed] = 1 }
                    seen.append(SipHash(k0: key.0, k1: key.1).hash(bytes.span.bytes))
                }
            }
        }
        #expect(Set(seen).count == seen.count)
    }
}
