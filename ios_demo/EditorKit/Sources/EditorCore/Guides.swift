/// What the compositor looks at: a photo's crop and the decodes before and after an edit. What no edit changes is kept.
public struct Guides: Sendable {
    /// The number of planes: three pictures of three colours.
    static let planes = 9

    private let side: Int
    private let pixels: PixelSpec
    private let kept: [Float]

    /// - Parameters:
    ///   - photo: the crop, as it was encoded.
    ///   - before: the decode without any edit.
    ///   - side: M, that of the compositor's grid; it divides the sides of both.
    ///   - pixels: what levels mean to the networks.
    public init(photo: RGBImage, before: RGBImage, side: Int, pixels: PixelSpec) {
        (self.side, self.pixels) = (side, pixels)
        kept = Self.planes(photo, side, pixels) + Self.planes(before, side, pixels)
    }

    /// The guides [1, 9, M, M] of an edit, -1 to 1.
    public func tensor(after: RGBImage) -> Tensor {
        Tensor(shape: [1, Self.planes, side, side], values: kept + Self.planes(after, side, pixels))
    }

    private static func planes(_ picture: RGBImage, _ side: Int, _ pixels: PixelSpec) -> [Float] {
        let colours = boxMeans(pixels.clamped(picture), of: picture.width, to: side)
        return (0..<3).flatMap { channel in colours.map { $0[channel] } }
    }
}

extension RGBImage {
    /// The means [M, M] of a square's luminance (ITU-R BT.601, on encoded values), in levels.
    ///
    /// - Parameter side: M; it divides the side of this square.
    public func lowered(to side: Int) -> Tensor {
        Tensor(shape: [side, side], values: boxMeans(colours, of: width, to: side).map(luma))
    }

    /// Levels of each pixel, the fourth lane 0.
    var colours: [SIMD4<Float>] {
        bytes.withUnsafeBufferPointer { bytes in
            (0..<width * height).map { SIMD4(Float(bytes[3 * $0]), Float(bytes[3 * $0 + 1]), Float(bytes[3 * $0 + 2]), 0) }
        }
    }
}

extension PixelSpec {
    /// An image's numbers in the range -1 to 1, beyond which the compositor sees nothing.
    func clamped(_ image: RGBImage) -> [SIMD4<Float>] {
        let (scale, offset) = (Float((maximum - minimum) / 255), Float(minimum))
        return image.colours.map { level in
            (level * scale + offset).clamped(lowerBound: SIMD4(repeating: -1), upperBound: SIMD4(repeating: 1))
        }
    }
}

/// The luminance of a colour.
@inline(__always)
func luma(_ colour: SIMD4<Float>) -> Float { 0.299 * colour.x + 0.587 * colour.y + 0.114 * colour.z }

/// Means of the cells of a square grid.
///
/// - Precondition: the new side divides the old one.
private func boxMeans(_ values: [SIMD4<Float>], of side: Int, to newSide: Int) -> [SIMD4<Float>] {
    precondition(values.count == side * side && newSide > 0 && side % newSide == 0, "a side of \(side) has no \(newSide) cells")
    let cell = side / newSide
    var sums = [SIMD4<Float>](repeating: .zero, count: newSide * newSide)
    for y in 0..<side {
        for x in 0..<side { sums[y / cell * newSide + x / cell] += values[y * side + x] }
    }
    return sums.map { $0 / Float(cell * cell) }
}
