import Groundwork
import Testing

@testable import LoadTest

@Suite struct HistogramTests {
    @Test func `a quantile is at most an eighth too long, and never longer than the longest`() {
        var random = SplitMix64(seed: 7)
        for magnitude in 0..<62 {
            var histogram = Histogram()
            let values = (0..<100).map { _ in Int64(random.next() % (UInt64(1) << UInt64(magnitude))) }.sorted()
            for value in values { histogram.record(value) }
            for (share, index) in [(0.01, 0), (0.5, 49), (0.99, 98), (1, 99)] {
                let quantile = histogram.quantile(share)
                #expect(quantile >= values[index])
                #expect(quantile <= values[index] + values[index] / 8 + 1)
                #expect(quantile <= values[99])
            }
            #expect(histogram.longest == values[99])
        }
    }

    @Test func `nothing was recorded, or the longest there can be, or less than nothing`() {
        var histogram = Histogram()
        #expect(histogram.quantile(0.5) == 0)
        histogram.record(.max)
        #expect(histogram.quantile(0.5) == .max)
        histogram.record(-5)
        #expect(histogram.quantile(0.1) == 0)
    }
}
