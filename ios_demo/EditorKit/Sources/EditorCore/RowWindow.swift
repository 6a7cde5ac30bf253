/// Some neighbouring rows of a photo, which move down it: each row is read once.
struct RowWindow: Sendable {
    /// The photo's, in pixels.
    let width: Int
    /// The first row's number in the photo.
    private(set) var firstRow: Int
    /// Red, green and blue of each pixel.
    private(set) var bytes: [UInt8]

    /// All rows of a picture.
    init(_ picture: RGBImage) {
        (width, firstRow, bytes) = (picture.width, 0, picture.bytes)
    }

    /// No rows yet of a photo of this width.
    init(width: Int) {
        (self.width, firstRow, bytes) = (width, 0, [])
    }

    /// Which rows are there.
    var rows: Range<Int> { firstRow..<firstRow + bytes.count / (3 * width) }

    /// Moves on to other rows; those before them are forgotten.
    mutating func move(to range: Range<Int>, of source: any PhotoSource) throws {
        if !rows.overlaps(range) || range.lowerBound < firstRow {
            bytes = []
            firstRow = range.lowerBound
        }
        bytes.removeFirst((range.lowerBound - firstRow) * 3 * width)
        firstRow = range.lowerBound
        let end = rows.upperBound
        if end < range.upperBound { bytes += try source.checkedRows(end..<range.upperBound).bytes }
    }

    /// A copy of some rows.
    func picture(_ range: Range<Int>) -> RGBImage {
        let stride = 3 * width
        let some = bytes[(range.lowerBound - firstRow) * stride..<(range.upperBound - firstRow) * stride]
        return RGBImage(width: width, height: range.count, bytes: Array(some))
    }
}
