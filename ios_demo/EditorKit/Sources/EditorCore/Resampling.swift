// Resampling as Pillow does it, so that a phone cuts and pastes the pixels that the networks were trained and tested with.

extension Raster {
    /// The part of an image in a box, resized by an antialiasing bicubic filter. The filter sees what lies around the box.
    func resized(_ box: PixelBox, toWidth newWidth: Int, height newHeight: Int) -> Raster {
        let columns = FilterTap.row(from: box.x, of: width, to: newWidth)
        let rows = FilterTap.row(from: box.y, of: height, to: newHeight)
        // Only the rows that the second pass reads.
        let first = rows.map(\.start).min() ?? 0
        let last = rows.map { $0.start + $0.weights.count }.max() ?? 0
        var narrow = Raster(width: newWidth, height: last - first, channels: channels)
        for y in first..<last {
            for (x, tap) in columns.enumerated() {
                for channel in 0..<channels {
                    narrow.bytes[((y - first) * newWidth + x) * channels + channel] = tap.applied(
                        to: bytes, at: y * width * channels + channel, step: channels)
                }
            }
        }
        var result = Raster(width: newWidth, height: newHeight, channels: channels)
        let stride = newWidth * channels
        for (y, tap) in rows.enumerated() {
            for index in 0..<stride {
                result.bytes[y * stride + index] = tap.applied(
                    to: narrow.bytes, at: index - first * stride, step: stride)
            }
        }
        return result
    }

    /// An image of another size, each pixel of which shows this one at `map` of the pixel's centre; black outside.
    func resampled(width newWidth: Int, height newHeight: Int, by map: AffineMap) -> Raster {
        var result = Raster(width: newWidth, height: newHeight, channels: channels)
        for y in 0..<newHeight {
            for x in 0..<newWidth {
                let place = map(Double(x) + 0.5, Double(y) + 0.5)
                guard place.x >= 0, place.y >= 0, place.x < Double(width), place.y < Double(height) else { continue }
                sample(place, into: &result.bytes, at: (y * newWidth + x) * channels)
            }
        }
        return result
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

    init(width: Int, height: Int, channels: Int) {
        let bytes = [UInt8](repeating: 0, count: width * height * channels)
        self.init(width: width, height: height, channels: channels, bytes: bytes)
    }

    private func sample(_ place: SIMD2<Double>, into target: inout [UInt8], at start: Int) {
        let (x, y) = (place.x - 0.5, place.y - 0.5)
        let (left, top) = (Int(x.rounded(.down)) - 1, Int(y.rounded(.down)) - 1)
        let across = cubicWeights(x - x.rounded(.down))
        let down = cubicWeights(y - y.rounded(.down))
        for channel in 0..<channels {
            var total = 0.0
            for row in 0..<4 {
                let line = min(max(top + row, 0), height - 1) * width
                for column in 0..<4 {
                    let index = (line + min(max(left + column, 0), width - 1)) * channels + channel
                    total += down[row] * across[column] * Double(bytes[index])
                }
            }
            target[start + channel] = UInt8(min(max(total.rounded(.toNearestOrEven), 0), 255))
        }
    }
}

/// The weights of four neighbours at a fraction of the way from the second to the third: cubic convolution with a = -1.
private func cubicWeights(_ t: Double) -> SIMD4<Double> {
    SIMD4(
        -t + 2 * t * t - t * t * t,
        1 - 2 * t * t + t * t * t,
        t + t * t - t * t * t,
        -t * t + t * t * t)
}

/// The index that a mirror at both ends of a row shows; the ends themselves appear twice.
private func reflected(_ index: Int, _ count: Int) -> Int {
    let period = 2 * count
    let place = ((index % period) + period) % period
    return place < count ? place : period - 1 - place
}

/// What one pixel of a resized row takes from which pixels of the row before: cubic convolution with a = -0.5, widened when shrinking.
private struct FilterTap {
    let start: Int
    let weights: [Float]

    static func row(from source: Range<Int>, of length: Int, to count: Int) -> [FilterTap] {
        let scale = Double(source.count) / Double(count)
        let widening = max(scale, 1)
        return (0..<count).map { index in
            let centre = Double(source.lowerBound) + (Double(index) + 0.5) * scale
            let start = max(0, Int(centre - 2 * widening + 0.5))
            let end = min(length, Int(centre + 2 * widening + 0.5))
            let weights = (start..<end).map { cubic((Double($0) - centre + 0.5) / widening) }
            let total = weights.reduce(0, +)
            return FilterTap(start: start, weights: weights.map { Float($0 / total) })
        }
    }

    func applied(to bytes: [UInt8], at offset: Int, step: Int) -> UInt8 {
        var total: Float = 0.5
        var index = offset + start * step
        for weight in weights {
            total += weight * Float(bytes[index])
            index += step
        }
        return UInt8(min(max(total.rounded(.down), 0), 255))
    }

    private static func cubic(_ position: Double) -> Double {
        let x = abs(position)
        if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
        return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    }
}
