/// Where the pixels of an upright photo come from, some rows at a time, so that no photo has to be in memory as a whole.
public protocol PhotoSource: Sendable {
    /// In pixels.
    var width: Int { get }
    /// In pixels.
    var height: Int { get }

    /// Whole rows in the photo's own colours.
    func rows(_ range: Range<Int>) throws -> RGBImage

    /// A picture in the photo's colours, converted to sRGB.
    func sRGB(_ picture: RGBImage) throws -> RGBImage

    /// A picture in sRGB, converted to the photo's colours.
    func ownColours(_ picture: RGBImage) throws -> RGBImage
}

extension PhotoSource {
    /// The photo is in sRGB.
    public func sRGB(_ picture: RGBImage) throws -> RGBImage { picture }

    /// The photo is in sRGB.
    public func ownColours(_ picture: RGBImage) throws -> RGBImage { picture }
}

/// Where the rows of an edited photo go, from the top.
public protocol PhotoSink {
    /// Takes the next rows, in the photo's colours and full width.
    mutating func write(_ rows: RGBImage) throws
}

extension RGBImage: PhotoSource {
    /// A copy of some rows.
    public func rows(_ range: Range<Int>) -> RGBImage {
        let stride = 3 * width
        return RGBImage(
            width: width, height: range.count, bytes: Array(bytes[range.lowerBound * stride..<range.upperBound * stride]))
    }
}

/// Rows that a photo is read and written by.
enum PhotoBands {
    // 64 rows of a 48-megapixel photo are 1.5 MB.
    static let height = 64

    /// The bands that cover some rows.
    static func covering(_ rows: Range<Int>) -> [Range<Int>] {
        stride(from: rows.lowerBound, to: rows.upperBound, by: height).map {
            $0..<min($0 + height, rows.upperBound)
        }
    }
}

extension PhotoSource {
    /// Rows that are as many and as long as they have to be: the loops behind them do not ask.
    func checkedRows(_ range: Range<Int>) throws -> RGBImage {
        let band = try rows(range)
        precondition(band.width == width && band.height == range.count, "a photo gave rows of another size")
        return band
    }

    /// A copy whose longer side has at most this many pixels, in the photo's colours.
    func fitting(longerSide: Int) throws -> RGBImage {
        let factor = min(1, Double(longerSide) / Double(max(width, height)))
        let side = { (length: Int) in max(1, Int((Double(length) * factor).rounded())) }
        return RGBImage(
            try resized(PixelBox(width: width, height: height), toWidth: side(width), height: side(height)))
    }

    /// The aligned face in a crop, in the photo's colours.
    func crop(_ transform: CropTransform, size: Int) throws -> RGBImage {
        let plan = try CropPlan(transform, size: size, width: width, height: height)
        return plan.cut(try resized(plan.box, toWidth: plan.small.x, height: plan.small.y))
    }

    private func resized(_ box: PixelBox, toWidth newWidth: Int, height newHeight: Int) throws -> Raster {
        var resizer = BandResizer(
            box, width: width, height: height, channels: 3, toWidth: newWidth, height: newHeight)
        for band in PhotoBands.covering(resizer.rows) {
            try Task.checkCancellation()
            resizer.add(try checkedRows(band).raster, firstRow: band.lowerBound)
        }
        return resizer.finished()
    }
}
