/// A small raster as four floats a pixel, its edges repeated, so that the bicubic filter reads sixteen neighbours without asking where
/// it is.
struct FilterSource: Sendable {
    // The filter reaches two pixels beyond the first and the last.
    private static let margin = 2

    private let stride: Int
    private let pixels: [SIMD4<Float>]

    init(_ raster: Raster) {
        let (width, height, channels, margin) = (raster.width, raster.height, raster.channels, Self.margin)
        stride = width + 2 * margin
        let (rowLength, count) = (stride, stride * (height + 2 * margin))
        pixels = raster.bytes.withUnsafeBufferPointer { bytes in
            [SIMD4<Float>](unsafeUninitializedCapacity: count) { pixels, initialized in
                for y in 0..<height + 2 * margin {
                    let row = min(max(y - margin, 0), height - 1) * width
                    for x in 0..<rowLength {
                        let place = (row + min(max(x - margin, 0), width - 1)) * channels
                        pixels[y * rowLength + x] =
                            channels == 1
                            ? SIMD4(Float(bytes[place]), 0, 0, 0)
                            : SIMD4(Float(bytes[place]), Float(bytes[place + 1]), Float(bytes[place + 2]), 0)
                    }
                }
                initialized = count
            }
        }
    }

    /// Reads the raster along lines on it.
    func withReader<Result>(_ body: (Reader) -> Result) -> Result {
        pixels.withUnsafeBufferPointer { pixels in
            CubicWeights.table.withUnsafeBufferPointer { weights in
                // Neither is ever empty.
                body(
                    Reader(
                        pixels: pixels.baseAddress.unsafelyUnwrapped, weights: weights.baseAddress.unsafelyUnwrapped,
                        stride: stride))
            }
        }
    }

    /// Cubic convolution with a = -1 in single precision; valid within `withReader`.
    struct Reader {
        fileprivate let pixels: UnsafePointer<SIMD4<Float>>
        fileprivate let weights: UnsafePointer<SIMD4<Float>>
        fileprivate let stride: Int

        /// The levels at one place of a line, rounded and cut to 0 to 255.
        ///
        /// - Precondition: the place lies on the raster.
        @inline(__always)
        func levels(_ line: FixedLine, _ column: Int) -> SIMD4<Int32> {
            let (x, y) = (line.x &+ column &* line.stepX, line.y &+ column &* line.stepY)
            let across = weights[CubicWeights.phase(x)]
            let down = weights[CubicWeights.phase(y)]
            let corner = pixels + (FixedLine.whole(y) &* stride &+ FixedLine.whole(x))
            var total = row(corner, across) * down[0]
            total += row(corner + stride, across) * down[1]
            total += row(corner + 2 &* stride, across) * down[2]
            total += row(corner + 3 &* stride, across) * down[3]
            // `pointwiseMin` and `pointwiseMax` are calls, lane by lane.
            total.replace(with: 0, where: total .< 0)
            total.replace(with: 255, where: total .> 255)
            return unsafeBitCast(total + PixelSpec.roundingShift, to: SIMD4<Int32>.self) & 255
        }

        @inline(__always)
        private func row(_ start: UnsafePointer<SIMD4<Float>>, _ weights: SIMD4<Float>) -> SIMD4<Float> {
            start[0] * weights[0] + start[1] * weights[1] + start[2] * weights[2] + start[3] * weights[3]
        }
    }
}

/// A line through a raster in steps of 2^-32 pixels, from which whole pixels and fractions are read without a conversion. It is half a
/// pixel ahead, so that its whole part is where the four neighbours begin in a raster with two pixels around it.
struct FixedLine {
    fileprivate static let fractionBits = 32

    fileprivate let x: Int
    fileprivate let y: Int
    fileprivate let stepX: Int
    fileprivate let stepY: Int

    init(_ line: AffineMap.Line) {
        let unit = Double(1 << Self.fractionBits)
        let fixed = { (value: Double) in Int((value * unit).rounded()) }
        // Another half of a weight's step rounds to the nearest one.
        let ahead = 0.5 + 0.5 / Double(CubicWeights.phases)
        (x, y) = (fixed(line.start.x + ahead), fixed(line.start.y + ahead))
        (stepX, stepY) = (fixed(line.step.x), fixed(line.step.y))
    }

    @inline(__always)
    fileprivate static func whole(_ value: Int) -> Int { value &>> fractionBits }
}

/// The weights of four neighbours at a fraction of the way from the second to the third: cubic convolution with a = -1.
private enum CubicWeights {
    static let phaseBits = 10
    // Finer than a sixth of a level at the steepest edge.
    static let phases = 1 << phaseBits

    static let table: [SIMD4<Float>] = (0..<phases).map { phase in
        let t = Float(phase) / Float(phases)
        let (t2, t3) = (t * t, t * t * t)
        return SIMD4(-t + 2 * t2 - t3, 1 - 2 * t2 + t3, t + t2 - t3, -t2 + t3)
    }

    @inline(__always)
    static func phase(_ value: Int) -> Int { value &>> (FixedLine.fractionBits - phaseBits) & (phases - 1) }
}
