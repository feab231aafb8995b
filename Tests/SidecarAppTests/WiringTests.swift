import Testing

@testable import SidecarApp

struct WiringTests {
    @Test(arguments: [
        (1 << 30, 1, 1), (1 << 30, 2, 8), (1 << 30, 3, 16), (1 << 30, 4, 16), (4 << 20, 4, 4), (3 << 20, 4, 2),
        (1 << 20, 4, 1), (1000, 4, 1),
    ])
    func `a group has shards for its loops, but not more than a MiB of its share for each`(
        memory: Int, loops: Int, shards: Int
    ) {
        #expect(Wiring.shards(for: memory, loops: loops) == shards)
    }
}
