/// Pastes edits of one face into one picture. What depends on the picture alone is computed when this is made: which pixels the crop
/// covers, their opacity, and what the networks make of the unedited face there. An edit then costs one warp of its own.
public struct FacePaster: Sendable {
    private let crop: CropTransform
    private let faceSide: Int
    private let width: Int
    private let rows: Range<Int>
    private let box: PixelBox?
    private let map: AffineMap
    // Columns of each row of the box that the crop covers visibly.
    private var spans: [Range<Int>] = []
    private var opacity: [UInt8] = []
    private var unedited: [UInt8]?

    /// - Parameters:
    ///   - crop: where the face was cut out.
    ///   - width: of the picture in pixels.
    ///   - rows: the picture's rows that will be pasted into; all rows, or a band of a large photo.
    ///   - faceSide: side of the edits in pixels.
    ///   - reconstruction: the unedited face as the networks see it. If given, the picture receives the change from it to the edit
    ///     instead of the edit itself: what the networks cannot draw survives, at the price of ghosts where an edit moves things far.
    ///   - threads: 1 computes in the calling thread alone; nil leaves the number to the system.
    public init(
        crop: CropTransform, width: Int, rows: Range<Int>, faceSide: Int, reconstruction: RGBImage? = nil,
        threads: Int? = nil
    ) {
        precondition(
            reconstruction.map { $0.width == faceSide && $0.height == faceSide } ?? true,
            "the reconstruction is of another side than \(faceSide)")
        (self.crop, self.faceSide, self.width, self.rows) = (crop, faceSide, width, rows)
        box = PixelBox(bounds: crop.bounds(context: 0), width: width, rows: rows)
        map = crop.map(toSide: Self.warpedSide(faceSide, crop))
        guard let box else { return }
        let side = Double(Self.warpedSide(faceSide, crop))
        let all = box.y.map { Self.span(of: $0, box.x, map, side) }
        opacity = Self.warped(.softMask(side: faceSide), crop, box, map, all, threads)
        spans = zip(0..., all).map { visible($0, $1) }
        unedited = reconstruction.map { Self.warped($0.raster, crop, box, map, spans, threads) }
    }

    /// Blends an edit into a picture with a soft rim; pixels outside the crop keep their bytes.
    ///
    /// - Parameters:
    ///   - edit: a square of the side that this was made for.
    ///   - picture: the rows that this was made for, in the picture's full width.
    ///   - threads: as in `init`.
    public func paste(_ edit: RGBImage, into picture: inout RGBImage, threads: Int? = nil) {
        precondition(edit.width == faceSide && edit.height == faceSide, "the edit is of another side than \(faceSide)")
        precondition(picture.width == width && picture.height == rows.count, "the picture is of another size")
        guard let box else { return }
        let source = FilterSource(Self.fitted(edit.raster, crop))
        picture.raster.bytes.withUnsafeMutableBufferPointer { bytes in
            withPlan { plan in
                source.withReader { reader in
                    PixelRows.forEach(0..<box.y.count, threads: threads) { some in
                        for row in some where !spans[row].isEmpty {
                            let place = 3 * ((box.y.lowerBound - rows.lowerBound + row) * width + box.x.lowerBound)
                            let line = map.line(box.y.lowerBound + row).moved(by: box.x.lowerBound)
                            plan.row(row, of: box.x.count, onto: bytes.baseAddress.unsafelyUnwrapped + place)
                                .blend(reader, FixedLine(line), spans[row])
                        }
                    }
                }
            }
        }
    }

    private func withPlan(_ body: (BlendPlan) -> Void) {
        opacity.withUnsafeBufferPointer { opacity in
            // A box has at least one pixel.
            let opacity = opacity.baseAddress.unsafelyUnwrapped
            guard let unedited else { return body(BlendPlan(opacity: opacity, unedited: nil)) }
            unedited.withUnsafeBufferPointer { body(BlendPlan(opacity: opacity, unedited: $0.baseAddress)) }
        }
    }

    private func visible(_ row: Int, _ span: Range<Int>) -> Range<Int> {
        guard let box else { return span }
        let start = row * box.x.count
        guard let first = span.first(where: { opacity[start + $0] > 0 }),
            let last = span.last(where: { opacity[start + $0] > 0 })
        else { return 0..<0 }
        return first..<last + 1
    }

    /// A crop is made smaller, if its place is, before it is turned and moved: the filter reads four neighbours only.
    private static func warpedSide(_ side: Int, _ crop: CropTransform) -> Int {
        crop.side < Double(side) ? max(1, Int(crop.side.rounded(.toNearestOrEven))) : side
    }

    private static func fitted(_ square: Raster, _ crop: CropTransform) -> Raster {
        let side = warpedSide(square.width, crop)
        return side == square.width ? square : square.resized(toWidth: side, height: side)
    }

    /// The columns of one of the picture's rows whose centres lie on the crop, counted from the first of `columns`.
    private static func span(of row: Int, _ columns: Range<Int>, _ map: AffineMap, _ side: Double) -> Range<Int> {
        let line = map.line(row)
        let isInside = { (column: Int) in
            let place = line(column)
            return place.x >= 0 && place.y >= 0 && place.x < side && place.y < side
        }
        // A square is convex: what lies between two of its pixels is inside too.
        guard let first = columns.first(where: isInside), let last = columns.last(where: isInside) else { return 0..<0 }
        return first - columns.lowerBound..<last + 1 - columns.lowerBound
    }

    /// The bytes of a square on the grid of a box, black outside the spans.
    private static func warped(
        _ square: Raster, _ crop: CropTransform, _ box: PixelBox, _ map: AffineMap, _ spans: [Range<Int>],
        _ threads: Int?
    ) -> [UInt8] {
        let (source, channels) = (FilterSource(fitted(square, crop)), square.channels)
        var result = [UInt8](repeating: 0, count: box.x.count * box.y.count * channels)
        result.withUnsafeMutableBufferPointer { bytes in
            source.withReader { reader in
                PixelRows.forEach(0..<box.y.count, threads: threads) { rows in
                    for row in rows {
                        let line = FixedLine(map.line(box.y.lowerBound + row).moved(by: box.x.lowerBound))
                        for column in spans[row] {
                            let level = reader.levels(line, column)
                            let place = (row * box.x.count + column) * channels
                            for channel in 0..<channels {
                                bytes[place + channel] = UInt8(truncatingIfNeeded: level[channel])
                            }
                        }
                    }
                }
            }
        }
        return result
    }
}

/// What every edit of a face meets on its box, from its first pixel.
private struct BlendPlan {
    let opacity: UnsafePointer<UInt8>
    let unedited: UnsafePointer<UInt8>?

    func row(_ row: Int, of length: Int, onto bytes: UnsafeMutablePointer<UInt8>) -> BlendTarget {
        BlendTarget(
            bytes: bytes, opacity: opacity + row * length, unedited: unedited.map { $0 + 3 * row * length })
    }
}

/// One row of a box on a picture, each pointer at its first pixel.
private struct BlendTarget {
    let bytes: UnsafeMutablePointer<UInt8>
    let opacity: UnsafePointer<UInt8>
    let unedited: UnsafePointer<UInt8>?

    /// Blends what `reader` shows along a line into some of the row's columns.
    func blend(_ reader: FilterSource.Reader, _ line: FixedLine, _ columns: Range<Int>) {
        for column in columns {
            var after = reader.levels(line, column)
            let pixel = bytes + 3 &* column
            let opaque = Int32(opacity[column])
            if opaque == 255 && unedited == nil {
                pixel[0] = UInt8(truncatingIfNeeded: after[0])
                pixel[1] = UInt8(truncatingIfNeeded: after[1])
                pixel[2] = UInt8(truncatingIfNeeded: after[2])
                continue
            }
            let before = SIMD4(Int32(pixel[0]), Int32(pixel[1]), Int32(pixel[2]), 0)
            if let unedited {
                let place = unedited + 3 &* column
                after = after &+ before &- SIMD4(Int32(place[0]), Int32(place[1]), Int32(place[2]), 0)
                after.replace(with: 0, where: after .< 0)
                after.replace(with: 255, where: after .> 255)
            }
            if opaque < 255 {
                // The mean by an opacity of 0 to 255, rounded.
                let sum = before &* (255 - opaque) &+ after &* opaque &+ 128
                after = (sum &+ sum &>> 8) &>> 8
            }
            pixel[0] = UInt8(truncatingIfNeeded: after[0])
            pixel[1] = UInt8(truncatingIfNeeded: after[1])
            pixel[2] = UInt8(truncatingIfNeeded: after[2])
        }
    }
}
