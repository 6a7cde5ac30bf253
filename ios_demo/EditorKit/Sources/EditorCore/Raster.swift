/// An opaque image: interleaved red, green and blue bytes, row by row from the top; sRGB unless its owner says otherwise.
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

extension Raster {
    /// All zero.
    init(width: Int, height: Int, channels: Int) {
        let bytes = [UInt8](repeating: 0, count: width * height * channels)
        self.init(width: width, height: height, channels: channels, bytes: bytes)
    }

    // Width of the soft rim of a pasted crop, as a fraction of its side.
    private static let feather = 0.1

    /// Opacity of a pasted crop: 0 at the rim, 255 inside, with a smooth ramp between.
    static func softMask(side: Int) -> Raster {
        let ramp = (0..<side).map { index in
            let position = (Double(index) + 0.5) / Double(side)
            let depth = min(max(min(position, 1 - position) / feather, 0), 1)
            return depth * depth * (3 - 2 * depth)
        }
        let bytes = ramp.flatMap { row in ramp.map { UInt8((255 * (row * $0)).rounded(.toNearestOrEven)) } }
        return Raster(width: side, height: side, channels: 1, bytes: bytes)
    }

    /// An image with rows and columns around it that mirror its own.
    func mirrored(left: Int, top: Int, right: Int, bottom: Int) -> Raster {
        var result = Raster(width: left + width + right, height: top + height + bottom, channels: channels)
        let columns = (0..<result.width).map { reflected($0 - left, width) }
        for y in 0..<result.height {
            let row = reflected(y - top, height) * width
            for (x, column) in columns.enumerated() {
                for channel in 0..<channels {
                    result.bytes[(y * result.width + x) * channels + channel] =
                        bytes[(row + column) * channels + channel]
                }
            }
        }
        return result
    }

    /// An image of another size, each pixel of which shows this one at `map` of the pixel's centre; black outside.
    func resampled(width newWidth: Int, height newHeight: Int, by map: AffineMap) -> Raster {
        var result = Raster(width: newWidth, height: newHeight, channels: channels)
        FilterSource(self).withReader { reader in
            for y in 0..<newHeight {
                let line = map.line(y)
                let fixed = FixedLine(line)
                for x in 0..<newWidth {
                    let place = line(x)
                    guard place.x >= 0, place.y >= 0, place.x < Double(width), place.y < Double(height) else { continue }
                    let level = reader.levels(fixed, x)
                    for channel in 0..<channels {
                        result.bytes[(y * newWidth + x) * channels + channel] = UInt8(truncatingIfNeeded: level[channel])
                    }
                }
            }
        }
        return result
    }
}

/// The index that a mirror at both ends of a row shows; the ends themselves appear twice.
private func reflected(_ index: Int, _ count: Int) -> Int {
    let period = 2 * count
    let place = ((index % period) + period) % period
    return place < count ? place : period - 1 - place
}
