/// A box of whole pixels, the upper bounds excluded.
struct PixelBox: Equatable, Sendable {
    let x: Range<Int>
    let y: Range<Int>

    /// The whole of an image.
    init(width: Int, height: Int) {
        x = 0..<width
        y = 0..<height
    }

    /// The part of a box that lies on some rows of an image; nil if none does.
    init?(bounds: (low: SIMD2<Double>, high: SIMD2<Double>), width: Int, rows: Range<Int>) {
        let left = max(0, Int(bounds.low.x.rounded(.down)))
        let top = max(rows.lowerBound, Int(bounds.low.y.rounded(.down)))
        let right = min(width, Int(bounds.high.x.rounded(.up)))
        let bottom = min(rows.upperBound, Int(bounds.high.y.rounded(.up)))
        guard left < right, top < bottom else { return nil }
        x = left..<right
        y = top..<bottom
    }

    var origin: SIMD2<Double> { SIMD2(Double(x.lowerBound), Double(y.lowerBound)) }
}

/// An affine map of the plane.
struct AffineMap: Sendable {
    let xAxis: SIMD2<Double>
    let yAxis: SIMD2<Double>
    let offset: SIMD2<Double>

    /// The map on the centres of one row of pixels.
    func line(_ row: Int) -> Line {
        Line(start: offset + 0.5 * xAxis + (Double(row) + 0.5) * yAxis, step: xAxis)
    }

    /// Where the centres of a row of pixels come to lie.
    struct Line {
        let start: SIMD2<Double>
        let step: SIMD2<Double>

        @inline(__always)
        func callAsFunction(_ column: Int) -> SIMD2<Double> { start + Double(column) * step }

        /// The same line, counted from another column.
        func moved(by columns: Int) -> Line { Line(start: self(columns), step: step) }
    }
}

extension CropTransform {
    /// From photo pixels to the pixels of the crop at some side.
    func map(toSide side: Int) -> AffineMap {
        let (scale, origin) = (Double(side), cropPoint(.zero))
        return AffineMap(
            xAxis: scale * (cropPoint(SIMD2(1, 0)) - origin), yAxis: scale * (cropPoint(SIMD2(0, 1)) - origin),
            offset: scale * origin)
    }
}
