/// What the numbers of an image mean: planes of red, green and blue, sRGB, in a range.
public struct PixelSpec: Equatable, Sendable {
    // Adding this leaves a float's nearest whole number, halves to even, in its lowest bits.
    static let roundingShift: Float = 12_582_912

    /// Side of the encoder's input in pixels.
    public let size: Int
    /// The value of byte 0.
    public let minimum: Double
    /// The value of byte 255.
    public let maximum: Double

    /// - Parameters:
    ///   - size: side of the encoder's input in pixels.
    ///   - minimum: the value of byte 0.
    ///   - maximum: the value of byte 255.
    public init(size: Int, minimum: Double, maximum: Double) {
        self.size = size
        self.minimum = minimum
        self.maximum = maximum
    }

    /// The numbers [1, 3, H, W] of an image.
    public func tensor(_ image: RGBImage) -> Tensor {
        let (scale, offset) = (Float((maximum - minimum) / 255), Float(minimum))
        let count = image.width * image.height
        let values = image.bytes.withUnsafeBufferPointer { bytes in
            [Float](unsafeUninitializedCapacity: 3 * count) { planes, initialized in
                for channel in 0..<3 {
                    for pixel in 0..<count {
                        planes[channel &* count &+ pixel] = Float(bytes[3 &* pixel &+ channel]) * scale + offset
                    }
                }
                initialized = 3 * count
            }
        }
        return Tensor(shape: [1, 3, image.height, image.width], values: values)
    }

    /// The image of numbers [1, 3, H, W]; values outside the range are clamped, the rest rounded to even.
    ///
    /// - Precondition: the shape is that of one image, and all values are numbers.
    public func image(_ tensor: Tensor) -> RGBImage {
        precondition(tensor.shape.count == 4 && tensor.shape[0] == 1 && tensor.shape[1] == 3)
        let (height, width) = (tensor.shape[2], tensor.shape[3])
        let (range, low) = (Float(maximum - minimum), Float(minimum))
        let count = width * height
        let bytes = tensor.values.withUnsafeBufferPointer { values in
            [UInt8](unsafeUninitializedCapacity: 3 * count) { pixels, initialized in
                for channel in 0..<3 {
                    for pixel in 0..<count {
                        let unit = (values[channel &* count &+ pixel] - low) / range
                        let level = min(max(unit, 0), 1) * 255 + Self.roundingShift
                        pixels[3 &* pixel &+ channel] = UInt8(truncatingIfNeeded: level.bitPattern)
                    }
                }
                initialized = 3 * count
            }
        }
        return RGBImage(width: width, height: height, bytes: bytes)
    }
}
