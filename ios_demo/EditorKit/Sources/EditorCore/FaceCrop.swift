extension RGBImage {
    /// A smaller copy whose longer side has this many pixels; the image itself if it has no more.
    public func fitting(longerSide: Int) -> RGBImage {
        let factor = Double(longerSide) / Double(max(width, height))
        guard factor < 1 else { return self }
        let side = { (length: Int) in max(1, Int((Double(length) * factor).rounded())) }
        return RGBImage(raster.resized(toWidth: side(width), height: side(height)))
    }

    /// Cuts an aligned face out of a photo. Where the crop leaves the photo, the photo is mirrored at its edge.
    ///
    /// - Parameters:
    ///   - transform: where the crop lies.
    ///   - size: its side in pixels.
    /// - Throws: the crop does not touch the photo.
    public func crop(_ transform: CropTransform, size: Int) throws(AlignmentError) -> RGBImage {
        let plan = try CropPlan(transform, size: size, width: width, height: height)
        return plan.cut(raster.resized(plan.box, toWidth: plan.small.x, height: plan.small.y))
    }

    /// Blends an edited crop into its photo with a soft rim; pixels outside the crop keep their bytes. Who pastes many edits into one
    /// picture uses a `FacePaster`.
    ///
    /// - Parameters:
    ///   - edited: a square of any side.
    ///   - transform: where it was cut out.
    ///   - reconstruction: as in `FacePaster`.
    public func pasting(
        _ edited: RGBImage, at transform: CropTransform, reconstruction: RGBImage? = nil
    ) -> RGBImage {
        var result = self
        FacePaster(
            crop: transform, width: width, rows: 0..<height, faceSide: edited.width, reconstruction: reconstruction
        ).paste(edited, into: &result)
        return result
    }
}

/// How a crop is cut out: what part of the photo is made smaller first, and how that is turned and moved. Shrinking before mirroring
/// bounds the memory by the crop's size, whatever the size of the photo.
struct CropPlan {
    // Pixels of context around the crop for the bicubic filter.
    private static let context = 3.0

    /// The part of the photo.
    let box: PixelBox
    /// Width and height of that part when it has been made smaller.
    let small: (x: Int, y: Int)
    private let transform: CropTransform
    private let size: Int
    private let scale: SIMD2<Double>
    private let before: SIMD2<Double>
    private let after: SIMD2<Double>

    init(_ transform: CropTransform, size: Int, width: Int, height: Int) throws(AlignmentError) {
        let shrink = min(1, Double(size) / transform.side)
        let (low, high) = transform.bounds(context: Self.context / shrink)
        guard let box = PixelBox(bounds: (low, high), width: width, rows: 0..<height) else { throw .offPhoto }
        let extent = SIMD2(Double(box.x.count), Double(box.y.count))
        let smaller = SIMD2(max(1, (extent.x * shrink).rounded(.up)), max(1, (extent.y * shrink).rounded(.up)))
        let scale = smaller / extent
        (self.box, self.transform, self.size, self.scale) = (box, transform, size, scale)
        small = (Int(smaller.x), Int(smaller.y))
        before = (pointwiseMax(.zero, box.origin - low) * scale).rounded(.up)
        after = (pointwiseMax(.zero, high - (box.origin + extent)) * scale).rounded(.up)
    }

    /// The crop out of the smaller part.
    func cut(_ part: Raster) -> RGBImage {
        let region = part.mirrored(left: Int(before.x), top: Int(before.y), right: Int(after.x), bottom: Int(after.y))
        // From a pixel of the crop to the photo, and from there to the region, which begins at `corner`.
        let corner = box.origin - before / scale
        let step = transform.axis / Double(size)
        let map = AffineMap(
            xAxis: step * scale, yAxis: step.quarterTurn * scale, offset: (transform.origin - corner) * scale)
        return RGBImage(region.resampled(width: size, height: size, by: map))
    }
}
