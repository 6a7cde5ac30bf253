/// An edit drawn on the photo itself: the photo moved by the compositor's flow, and painted where its mask says so. Pixels that neither
/// move nor are painted keep their bytes; of a large photo only the rows that an edit reaches have to be at hand.
struct Composition: Sendable {
    private let overlay: Overlay
    private let crop: CropTransform
    private let width: Int
    private let height: Int
    // Fractions of the crop's side, beyond which nothing changes; nil if nothing does.
    private let changed: UnitBox?
    // Rows above and below a pixel that its colour may come from.
    private let reach: Int

    /// - Parameters:
    ///   - overlay: what the edit does.
    ///   - crop: where the face was cut out.
    ///   - width: of the photo in pixels.
    ///   - height: of the photo in pixels.
    init(_ overlay: Overlay, at crop: CropTransform, width: Int, height: Int) {
        (self.overlay, self.crop, self.width, self.height) = (overlay, crop, width, height)
        changed = UnitBox(changesOf: overlay)
        let farthest = overlay.motion.reduce(0) { max($0, abs(crop.displacement($1.x, $1.y).y)) }
        reach = Int(farthest.rounded(.up)) + CubicSource.reach
    }

    /// The photo's rows that have to be at hand for some of them to be drawn; nil where those stay as they are.
    func needed(for rows: Range<Int>) -> Range<Int>? {
        box(rows).map { ($0.y.lowerBound - reach..<$0.y.upperBound + reach).clamped(to: 0..<height) }
    }

    /// Draws on some rows.
    ///
    /// - Parameters:
    ///   - picture: these rows as they were, in the photo's full width.
    ///   - rows: which they are.
    ///   - photo: unchanged; has all rows that `needed` names.
    ///   - threads: 1 computes in the calling thread alone; nil leaves the number to the system.
    func draw(on picture: inout RGBImage, rows: Range<Int>, from photo: RowWindow, threads: Int? = nil) {
        guard let box = box(rows), let changed else { return }
        precondition(picture.width == width && picture.height == rows.count, "the picture is of another size")
        precondition(photo.width == width, "the photo is of another width")
        let map = crop.map(toSide: 1)
        picture.raster.bytes.withUnsafeMutableBufferPointer { bytes in
            photo.bytes.withUnsafeBufferPointer { source in
                guard let source = source.baseAddress, let bytes = bytes.baseAddress else { return }
                let cubic = CubicSource(source, firstRow: photo.firstRow, width: width, height: height)
                overlay.withReader { reader in
                    let painter = Painter(
                        reader: reader, photo: cubic, crop: crop, bytes: bytes - 3 * rows.lowerBound * width)
                    PixelRows.forEach(box.y, threads: threads) { some in
                        for row in some {
                            let line = map.line(row)
                            painter.draw(row, changed.span(of: line, box.x), along: line)
                        }
                    }
                }
            }
        }
    }

    private func box(_ rows: Range<Int>) -> PixelBox? {
        changed.flatMap { PixelBox(bounds: crop.bounds(from: $0.low, to: $0.high, context: 0), width: width, rows: rows) }
    }
}

extension RGBImage {
    /// Draws an edit on the photo that it was made from; pixels that it does not change keep their bytes.
    ///
    /// - Parameters:
    ///   - overlay: what the edit does.
    ///   - transform: where the crop lies in this photo.
    ///   - threads: 1 computes in the calling thread alone; nil leaves the number to the system.
    public func drawing(_ overlay: Overlay, at transform: CropTransform, threads: Int? = nil) -> RGBImage {
        var result = self
        Composition(overlay, at: transform, width: width, height: height)
            .draw(on: &result, rows: 0..<height, from: RowWindow(self), threads: threads)
        return result
    }
}

/// A box in the unit square, the upper bounds excluded.
struct UnitBox: Sendable {
    let low: SIMD2<Double>
    let high: SIMD2<Double>

    /// What holds all changes; nil if there are none.
    init?(changesOf overlay: Overlay) {
        let side = overlay.side
        let cells = overlay.changes.indices.filter { overlay.changes[$0] != 0 }
        guard let first = cells.first, let last = cells.last else { return nil }
        let columns = cells.map { $0 % side }
        let (left, right) = (columns.min() ?? 0, columns.max() ?? 0)
        // The outermost cells go on to the edge.
        let begin = { (cell: Int) in cell == 0 ? 0 : (Double(cell) + 0.5) / Double(side) }
        let end = { (cell: Int) in cell == side - 2 ? 1 : (Double(cell) + 1.5) / Double(side) }
        low = SIMD2(begin(left), begin(first / side))
        high = SIMD2(end(right), end(last / side))
    }

    /// The columns whose centres lie in this box.
    func span(of line: AffineMap.Line, _ columns: Range<Int>) -> Range<Int> {
        let isInside = { (column: Int) in
            let place = line(column)
            return place.x >= low.x && place.y >= low.y && place.x < high.x && place.y < high.y
        }
        // A box is convex: what lies between two of its pixels is inside too.
        guard let first = columns.first(where: isInside), let last = columns.last(where: isInside) else { return 0..<0 }
        return first..<last + 1
    }
}
