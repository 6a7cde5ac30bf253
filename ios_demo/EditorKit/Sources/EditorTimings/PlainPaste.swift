import EditorCore

/// Pasting pixel by pixel, as version 0.1 did it: what the tuned loops of `FacePaster` are compared with, in the same process. Nothing is
/// kept from one edit to the next.
struct PlainRaster {
    let width: Int
    let height: Int
    let channels: Int
    var bytes: [UInt8]

    init(width: Int, height: Int, channels: Int, bytes: [UInt8]? = nil) {
        self.width = width
        self.height = height
        self.channels = channels
        self.bytes = bytes ?? [UInt8](repeating: 0, count: width * height * channels)
    }

    init(_ image: RGBImage) {
        self.init(width: image.width, height: image.height, channels: 3, bytes: image.bytes)
    }

    /// The picture with the change from `reconstruction` to `edited`, or the edit itself.
    func pasting(
        _ edited: PlainRaster, at crop: CropTransform, reconstruction: PlainRaster? = nil
    ) -> PlainRaster {
        let corners = [SIMD2(0.0, 0.0), SIMD2(1, 0), SIMD2(0, 1), SIMD2(1, 1)].map(crop.photoPoint)
        let low = corners.dropFirst().reduce(corners[0]) { pointwiseMin($0, $1) }
        let high = corners.dropFirst().reduce(corners[0]) { pointwiseMax($0, $1) }
        let x = max(0, Int(low.x.rounded(.down)))..<min(width, Int(high.x.rounded(.up)))
        let y = max(0, Int(low.y.rounded(.down)))..<min(height, Int(high.y.rounded(.up)))
        let pasted = edited.warped(x, y, crop)
        let unedited = reconstruction?.warped(x, y, crop)
        let mask = Self.softMask(edited.width).warped(x, y, crop)
        var result = self
        for row in 0..<y.count {
            for column in 0..<x.count {
                let local = row * x.count + column
                let opacity = Int(mask.bytes[local])
                let place = 3 * ((y.lowerBound + row) * width + x.lowerBound + column)
                for channel in 0..<3 {
                    let before = Int(bytes[place + channel])
                    var after = Int(pasted.bytes[3 * local + channel])
                    if let unedited {
                        after = min(max(before + after - Int(unedited.bytes[3 * local + channel]), 0), 255)
                    }
                    let sum = before * (255 - opacity) + after * opacity + 128
                    result.bytes[place + channel] = UInt8((sum + sum >> 8) >> 8)
                }
            }
        }
        return result
    }

    private static func softMask(_ side: Int) -> PlainRaster {
        let ramp = (0..<side).map { index in
            let position = (Double(index) + 0.5) / Double(side)
            let depth = min(max(min(position, 1 - position) / 0.1, 0), 1)
            return depth * depth * (3 - 2 * depth)
        }
        let bytes = ramp.flatMap { row in ramp.map { UInt8((255 * (row * $0)).rounded(.toNearestOrEven)) } }
        return PlainRaster(width: side, height: side, channels: 1, bytes: bytes)
    }

    /// A crop that is smaller than its place, on the picture's grid.
    private func warped(_ x: Range<Int>, _ y: Range<Int>, _ crop: CropTransform) -> PlainRaster {
        precondition(crop.side >= Double(width), "the plain form enlarges only")
        let scale = Double(width)
        let corner = crop.cropPoint(SIMD2(Double(x.lowerBound), Double(y.lowerBound)))
        let origin = crop.cropPoint(.zero)
        let xAxis = scale * (crop.cropPoint(SIMD2(1, 0)) - origin)
        let yAxis = scale * (crop.cropPoint(SIMD2(0, 1)) - origin)
        var result = PlainRaster(width: x.count, height: y.count, channels: channels)
        for row in 0..<y.count {
            for column in 0..<x.count {
                let place = scale * corner + (Double(column) + 0.5) * xAxis + (Double(row) + 0.5) * yAxis
                guard place.x >= 0, place.y >= 0, place.x < Double(width), place.y < Double(height) else { continue }
                sample(place, into: &result.bytes, at: (row * x.count + column) * channels)
            }
        }
        return result
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
