/// An opaque sRGB image: interleaved red, green and blue bytes, row by row from the top.
public struct RGBImage: Equatable, Sendable {
    var raster: Raster

    /// - Precondition: there are three bytes for each pixel.
    public init(width: Int, height: Int, bytes: [UInt8]) {
        precondition(bytes.count == 3 * width * height, "\(bytes.count) bytes are no RGB image of \(width)x\(height)")
        raster = Raster(width: width, height: height, channels: 3, bytes: bytes)
    }

    init(_ raster: Raster) {
        self.raster = raster
    }

    /// In pixels.
    public var width: Int { raster.width }
    /// In pixels.
    public var height: Int { raster.height }
    /// Red, green and blue of each pixel.
    public var bytes: [UInt8] { raster.bytes }
}

/// Bytes on a grid: one channel for a mask, three for an image.
struct Raster: Equatable, Sendable {
    let width: Int
    let height: Int
    let channels: Int
    var bytes: [UInt8]
}

/// A box of whole pixels, the upper bounds excluded.
struct PixelBox: Equatable {
    let x: Range<Int>
    let y: Range<Int>

    /// The part of a box that lies on an image; nil if none does.
    init?(low: SIMD2<Double>, high: SIMD2<Double>, width: Int, height: Int) {
        let left = max(0, Int(low.x.rounded(.down)))
        let top = max(0, Int(low.y.rounded(.down)))
        let right = min(width, Int(high.x.rounded(.up)))
        let bottom = min(height, Int(high.y.rounded(.up)))
        guard left < right, top < bottom else { return nil }
        x = left..<right
        y = top..<bottom
    }

    var origin: SIMD2<Double> { SIMD2(Double(x.lowerBound), Double(y.lowerBound)) }
}

/// An affine map of the plane.
struct AffineMap {
    let xAxis: SIMD2<Double>
    let yAxis: SIMD2<Double>
    let offset: SIMD2<Double>

    func callAsFunction(_ x: Double, _ y: Double) -> SIMD2<Double> { offset + x * xAxis + y * yAxis }
}
