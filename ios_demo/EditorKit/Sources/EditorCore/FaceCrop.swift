import Foundation

extension RGBImage {
    // Pixels of context around the crop for the bicubic filter.
    private static let context = 3.0

    /// A smaller copy whose longer side has this many pixels; the image itself if it has no more.
    public func fitting(longerSide: Int) -> RGBImage {
        let factor = Double(longerSide) / Double(max(width, height))
        let whole = PixelBox(low: .zero, high: SIMD2(Double(width), Double(height)), width: width, height: height)
        guard factor < 1, let whole else { return self }
        let side = { (length: Int) in max(1, Int((Double(length) * factor).rounded())) }
        return RGBImage(raster.resized(whole, toWidth: side(width), height: side(height)))
    }

    /// Cuts an aligned face out of a photo. Where the crop leaves the photo, the photo is mirrored at its edge.
    ///
    /// - Parameters:
    ///   - transform: where the crop lies.
    ///   - size: its side in pixels.
    public func crop(_ transform: CropTransform, size: Int) -> RGBImage {
        // Shrinking before mirroring bounds the memory by the crop's size, whatever the size of the photo.
        let shrink = min(1, Double(size) / transform.side)
        let (low, high) = transform.bounds(context: Self.context / shrink)
        guard let box = PixelBox(low: low, high: high, width: width, height: height) else {
            preconditionFailure("a crop of a checked transform lies on its photo")
        }
        let extent = SIMD2(Double(box.x.count), Double(box.y.count))
        let small = SIMD2(max(1, (extent.x * shrink).rounded(.up)), max(1, (extent.y * shrink).rounded(.up)))
        let scale = small / extent
        let end = box.origin + extent
        let before = (pointwiseMax(.zero, box.origin - low) * scale).rounded(.up)
        let after = (pointwiseMax(.zero, high - end) * scale).rounded(.up)
        let region = raster.resized(box, toWidth: Int(small.x), height: Int(small.y)).mirrored(
            left: Int(before.x), top: Int(before.y), right: Int(after.x), bottom: Int(after.y))
        // From a pixel of the crop to the photo, and from there to the region, which begins at `corner`.
        let corner = box.origin - before / scale
        let step = transform.axis / Double(size)
        let map = AffineMap(
            xAxis: step * scale, yAxis: step.quarterTurn * scale, offset: (transform.origin - corner) * scale)
        return RGBImage(region.resampled(width: size, height: size, by: map))
    }

    /// Blends an edited crop into its photo with a soft rim; pixels outside the crop keep their bytes.
    ///
    /// - Parameters:
    ///   - edited: a square of any side.
    ///   - transform: where it was cut out.
    ///   - reconstruction: the unedited crop as the networks see it. If given, the photo receives the change from it to the edit
    ///     instead of the edit itself: what the networks cannot draw survives, at the price of ghosts where an edit moves things far.
    public func pasting(
        _ edited: RGBImage, at transform: CropTransform, reconstruction: RGBImage? = nil
    ) -> RGBImage {
        let (low, high) = transform.bounds(context: 0)
        guard let box = PixelBox(low: low, high: high, width: width, height: height) else { return self }
        let pasted = edited.raster.warped(into: box, transform)
        let unedited = reconstruction?.raster.warped(into: box, transform)
        let mask = Raster.softMask(side: edited.width).warped(into: box, transform)
        var result = self
        for row in 0..<box.y.count {
            for column in 0..<box.x.count {
                let local = row * box.x.count + column
                let opacity = Int(mask.bytes[local])
                let place = 3 * ((box.y.lowerBound + row) * width + box.x.lowerBound + column)
                for channel in 0..<3 {
                    let before = Int(raster.bytes[place + channel])
                    var after = Int(pasted.bytes[3 * local + channel])
                    if let unedited {
                        after = min(max(before + after - Int(unedited.bytes[3 * local + channel]), 0), 255)
                    }
                    result.raster.bytes[place + channel] = blend(before, after, opacity)
                }
            }
        }
        return result
    }
}

extension Raster {
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

    /// A crop on the photo's grid within a box; black outside the crop.
    fileprivate func warped(into box: PixelBox, _ transform: CropTransform) -> Raster {
        var crop = self
        if transform.side < Double(width) {
            let side = max(1, Int(transform.side.rounded(.toNearestOrEven)))
            let whole = PixelBox(low: .zero, high: SIMD2(Double(width), Double(height)), width: width, height: height)
            if let whole { crop = resized(whole, toWidth: side, height: side) }
        }
        let scale = Double(crop.width)
        let (corner, origin) = (transform.cropPoint(box.origin), transform.cropPoint(.zero))
        let map = AffineMap(
            xAxis: scale * (transform.cropPoint(SIMD2(1, 0)) - origin),
            yAxis: scale * (transform.cropPoint(SIMD2(0, 1)) - origin), offset: scale * corner)
        return crop.resampled(width: box.x.count, height: box.y.count, by: map)
    }
}

/// The mean of two levels by an opacity of 0 to 255, rounded.
private func blend(_ before: Int, _ after: Int, _ opacity: Int) -> UInt8 {
    let sum = before * (255 - opacity) + after * opacity + 128
    return UInt8((sum + sum >> 8) >> 8)
}
