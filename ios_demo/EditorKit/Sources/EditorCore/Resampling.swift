// Resampling as Pillow does it, so that a phone cuts and pastes the pixels that the networks were trained and tested with.

/// The part of a picture in a box, resized by an antialiasing bicubic filter while the picture comes in bands of rows: of a large photo
/// no more than one band is in memory. The filter sees what lies around the box.
struct BandResizer {
    /// The rows that have to be given, from the top.
    let rows: Range<Int>
    private let columnTaps: FilterTaps
    private let rowTaps: FilterTaps
    private var narrow: Raster

    /// - Parameters:
    ///   - box: of the picture.
    ///   - width: of the picture.
    ///   - height: of the picture.
    init(_ box: PixelBox, width: Int, height: Int, channels: Int, toWidth newWidth: Int, height newHeight: Int) {
        columnTaps = FilterTaps(from: box.x, of: width, to: newWidth)
        rowTaps = FilterTaps(from: box.y, of: height, to: newHeight)
        rows = rowTaps.reach
        narrow = Raster(width: newWidth, height: rows.count, channels: channels)
    }

    /// Takes whole rows of the picture; those outside `rows` do nothing.
    mutating func add(_ band: Raster, firstRow: Int, threads: Int? = nil) {
        let wanted = rows.clamped(to: firstRow..<firstRow + band.height)
        let (channels, taps, top) = (narrow.channels, columnTaps, rows.lowerBound)
        let (length, newLength) = (band.width * channels, narrow.width * channels)
        band.bytes.withUnsafeBufferPointer { source in
            narrow.bytes.withUnsafeMutableBufferPointer { target in
                PixelRows.forEach(wanted, threads: threads) { some in
                    // Four floats are read at once, one pixel beyond the last.
                    var line = [Float](repeating: 0, count: length + 4)
                    line.withUnsafeMutableBufferPointer { line in
                        for row in some {
                            let start = (row - firstRow) * length
                            for index in 0..<length { line[index] = Float(source[start &+ index]) }
                            taps.narrow(line, channels, into: target, at: (row - top) * newLength)
                        }
                    }
                }
            }
        }
    }

    /// The picture when all of `rows` have been given.
    func finished(threads: Int? = nil) -> Raster {
        var result = Raster(width: narrow.width, height: rowTaps.count, channels: narrow.channels)
        let (stride, taps, top) = (narrow.width * narrow.channels, rowTaps, rows.lowerBound)
        narrow.bytes.withUnsafeBufferPointer { source in
            result.bytes.withUnsafeMutableBufferPointer { target in
                PixelRows.forEach(0..<taps.count, threads: threads) { some in
                    var total = [Float](repeating: 0, count: stride)
                    total.withUnsafeMutableBufferPointer { total in
                        for row in some { taps.flatten(source, top, into: target, row, total) }
                    }
                }
            }
        }
        return result
    }
}

extension Raster {
    /// The part of an image in a box, resized; the whole of it without a box.
    func resized(_ box: PixelBox? = nil, toWidth newWidth: Int, height newHeight: Int) -> Raster {
        let box = box ?? PixelBox(width: width, height: height)
        var resizer = BandResizer(
            box, width: width, height: height, channels: channels, toWidth: newWidth, height: newHeight)
        resizer.add(self, firstRow: 0)
        return resizer.finished()
    }
}

/// What each pixel of a resized row takes from which pixels of the row before: cubic convolution with a = -0.5, widened when shrinking.
private struct FilterTaps: Sendable {
    private let starts: [Int]
    // Where the weights of each pixel begin; one more than there are pixels.
    private let offsets: [Int]
    private let weights: [Float]

    init(from source: Range<Int>, of length: Int, to count: Int) {
        let scale = Double(source.count) / Double(count)
        let widening = max(scale, 1)
        var (starts, offsets, all) = ([Int](), [0], [Float]())
        for index in 0..<count {
            let centre = Double(source.lowerBound) + (Double(index) + 0.5) * scale
            let start = max(0, Int(centre - 2 * widening + 0.5))
            let end = min(length, Int(centre + 2 * widening + 0.5))
            let weights = (start..<end).map { Self.cubic((Double($0) - centre + 0.5) / widening) }
            let total = weights.reduce(0, +)
            starts.append(start)
            all += weights.map { Float($0 / total) }
            offsets.append(all.count)
        }
        (self.starts, self.offsets, weights) = (starts, offsets, all)
    }

    var count: Int { starts.count }

    /// All that is read.
    var reach: Range<Int> {
        let ends = starts.indices.map { starts[$0] + offsets[$0 + 1] - offsets[$0] }
        return (starts.min() ?? 0)..<(ends.max() ?? 0)
    }

    /// One row, resized along itself.
    func narrow(
        _ line: UnsafeMutableBufferPointer<Float>, _ channels: Int, into target: UnsafeMutableBufferPointer<UInt8>,
        at place: Int
    ) {
        let source = UnsafeRawPointer(line.baseAddress.unsafelyUnwrapped)
        weights.withUnsafeBufferPointer { weights in
            for pixel in 0..<count {
                var total = SIMD4<Float>(repeating: 0.5)
                var offset = 4 * starts[pixel] * channels
                for tap in offsets[pixel]..<offsets[pixel + 1] {
                    total += source.loadUnaligned(fromByteOffset: offset, as: SIMD4<Float>.self) * weights[tap]
                    offset &+= 4 * channels
                }
                for channel in 0..<channels { target[place + pixel * channels + channel] = level(total[channel]) }
            }
        }
    }

    /// One row of the result from the rows that it reads, the first of which is `top`.
    func flatten(
        _ source: UnsafeBufferPointer<UInt8>, _ top: Int, into target: UnsafeMutableBufferPointer<UInt8>, _ row: Int,
        _ total: UnsafeMutableBufferPointer<Float>
    ) {
        let stride = total.count
        for index in 0..<stride { total[index] = 0.5 }
        for tap in offsets[row]..<offsets[row + 1] {
            let start = (starts[row] + tap - offsets[row] - top) * stride
            let weight = weights[tap]
            for index in 0..<stride { total[index] += weight * Float(source[start &+ index]) }
        }
        for index in 0..<stride { target[row &* stride &+ index] = level(total[index]) }
    }

    private static func cubic(_ position: Double) -> Double {
        let x = abs(position)
        if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
        return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
    }
}

/// A sum that begins with one half, as a byte: rounded, and cut to 0 to 255.
@inline(__always)
private func level(_ total: Float) -> UInt8 { UInt8(min(max(total, 0), 255)) }
