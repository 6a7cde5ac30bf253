import Foundation

/// The middle of repeated values and how far they spread.
public struct Spread: Equatable, Sendable {
    /// Half of the values lie below.
    public let median: Double
    /// A tenth of the values lies below.
    public let p10: Double
    /// Nine tenths of the values lie below.
    public let p90: Double

    /// - Precondition: there is at least one value.
    public init(_ values: [Double]) {
        let sorted = values.sorted()
        median = Self.percentile(50, of: sorted)
        p10 = Self.percentile(10, of: sorted)
        p90 = Self.percentile(90, of: sorted)
    }

    /// Linear between the two nearest values.
    private static func percentile(_ percent: Double, of sorted: [Double]) -> Double {
        let place = percent / 100 * Double(sorted.count - 1)
        let below = Int(place)
        let above = min(below + 1, sorted.count - 1)
        return sorted[below] + (sorted[above] - sorted[below]) * (place - Double(below))
    }
}

/// Peak signal-to-noise ratio: how close an answer is to the expected one.
enum PSNR {
    /// Stands for "no difference at all", which has no decibels.
    static let identical = 200.0

    /// 20 log10(range / rmse) in dB, range being the largest minus the smallest expected value; at most `identical`.
    ///
    /// - Precondition: both have the same number of values, at least one, and all are finite.
    static func decibels(expected: [Float], actual: [Float]) -> Double {
        precondition(expected.count == actual.count && !expected.isEmpty)
        let squares = zip(expected, actual).reduce(0.0) { total, pair in
            let difference = Double(pair.0) - Double(pair.1)
            return total + difference * difference
        }
        let rmse = (squares / Double(expected.count)).squareRoot()
        let range = Double((expected.max() ?? 0) - (expected.min() ?? 0))
        if rmse == 0 { return identical }
        return range > 0 ? min(20 * log10(range / rmse), identical) : -identical
    }
}
