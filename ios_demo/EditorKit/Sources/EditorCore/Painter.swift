extension Overlay {
    /// The planes as pointers; valid within `withReader`.
    struct Reader {
        fileprivate let side: Int
        fileprivate let motion: UnsafePointer<SIMD4<Float>>
        fileprivate let paint: UnsafePointer<SIMD4<Float>>
        fileprivate let changes: UnsafePointer<UInt8>
        fileprivate let low: UnsafePointer<Float>
        fileprivate let afterSide: Int
        fileprivate let after: UnsafePointer<SIMD4<Float>>
        fileprivate let colours: UnsafePointer<SIMD4<Float>>?

        /// The levels to paint at a place of the crop, in the photo's own colours.
        @inline(__always)
        fileprivate func content(_ unit: SIMD2<Double>, _ place: GridPlace) -> SIMD4<Float> {
            let decoded = GridPlace(unit, afterSide)
            let levels = Overlay.level(decoded.mean(after, afterSide), place.mean(paint, side))
            guard let colours else { return levels }
            return levels + decoded.mean(colours, afterSide)
        }
    }

    /// Reads the planes.
    func withReader(_ body: (Reader) -> Void) {
        motion.withUnsafeBufferPointer { motion in
            paint.withUnsafeBufferPointer { paint in
                changes.withUnsafeBufferPointer { changes in
                    low.withUnsafeBufferPointer { low in
                        after.pixels.withUnsafeBufferPointer { pixels in
                            // None is ever empty.
                            let reader = { (colours: UnsafePointer<SIMD4<Float>>?) in
                                Reader(
                                    side: side, motion: motion.baseAddress.unsafelyUnwrapped,
                                    paint: paint.baseAddress.unsafelyUnwrapped, changes: changes.baseAddress.unsafelyUnwrapped,
                                    low: low.baseAddress.unsafelyUnwrapped, afterSide: after.side,
                                    after: pixels.baseAddress.unsafelyUnwrapped, colours: colours)
                            }
                            guard let colours else { return body(reader(nil)) }
                            colours.pixels.withUnsafeBufferPointer { body(reader($0.baseAddress)) }
                        }
                    }
                }
            }
        }
    }
}

/// Draws an edit along rows of a photo.
struct Painter {
    let reader: Overlay.Reader
    let photo: CubicSource
    let crop: CropTransform
    /// The first pixel of the photo's first row, were it there.
    let bytes: UnsafeMutablePointer<UInt8>

    /// Draws on some columns of one row, whose places in the unit crop `line` gives.
    func draw(_ row: Int, _ columns: Range<Int>, along line: AffineMap.Line) {
        for column in columns {
            let unit = line(column)
            let place = GridPlace(unit, reader.side)
            guard reader.changes[place.cell] != 0 else { continue }
            let motion = place.mean(reader.motion, reader.side)
            let isPainted = motion.z > 0
            guard isPainted || motion.x != 0 || motion.y != 0 else { continue }
            let moved = crop.displacement(motion.x, motion.y)
            var colour = photo.colour(Double(column) + moved.x, Double(row) + moved.y)
            if isPainted {
                let from = GridPlace(unit + SIMD2(Double(motion.x), Double(motion.y)), reader.side)
                let fine = luma(colour) - from.mean(reader.low, reader.side)
                colour += (reader.content(unit, place) + motion.w * fine - colour) * motion.z
            }
            store(colour, bytes + 3 &* (row &* photo.width &+ column))
        }
    }

    /// Levels as bytes, halves rounded up and cut to 0 to 255; no number makes this trap.
    @inline(__always)
    private func store(_ colour: SIMD4<Float>, _ pixel: UnsafeMutablePointer<UInt8>) {
        var levels = colour
        // What is no number is not 0 or more either.
        levels.replace(with: 0, where: .!(levels .>= 0))
        levels.replace(with: 255, where: levels .> 255)
        levels += 0.5
        pixel[0] = UInt8(levels[0])
        pixel[1] = UInt8(levels[1])
        pixel[2] = UInt8(levels[2])
    }
}

/// A photo, or some rows of it, read between its pixels by the cubic of Catmull and Rom (1974); beyond its edges it goes on with
/// its outermost pixels.
struct CubicSource {
    /// Pixels that the filter reaches beyond a place.
    static let reach = 2

    /// In pixels.
    let width: Int
    private let height: Int
    private let bytes: UnsafePointer<UInt8>

    /// - Parameters:
    ///   - bytes: the first pixel of the first row that is there.
    ///   - firstRow: its number in the photo.
    ///   - width: of the photo.
    ///   - height: of the whole photo.
    init(_ bytes: UnsafePointer<UInt8>, firstRow: Int, width: Int, height: Int) {
        (self.width, self.height) = (width, height)
        self.bytes = bytes - 3 * firstRow * width
    }

    /// The levels at a place, counted from the centre of the photo's first pixel; they may leave 0 to 255.
    ///
    /// - Precondition: the rows around it are there.
    @inline(__always)
    func colour(_ x: Double, _ y: Double) -> SIMD4<Float> {
        let (left, top) = (x.rounded(.down), y.rounded(.down))
        let (across, down) = (Self.weights(Float(x - left)), Self.weights(Float(y - top)))
        let (column, row) = (Int(left), Int(top))
        if column >= 1 && row >= 1 && column < width &- 2 && row < height &- 2 {
            let stride = 3 &* width
            let corner = bytes + 3 &* ((row &- 1) &* width &+ column &- 1)
            var total = Self.line(corner, across) * down[0]
            total += Self.line(corner + stride, across) * down[1]
            total += Self.line(corner + 2 &* stride, across) * down[2]
            return total + Self.line(corner + 3 &* stride, across) * down[3]
        }
        return atEdge(column, row, across, down)
    }

    private func atEdge(_ column: Int, _ row: Int, _ across: SIMD4<Float>, _ down: SIMD4<Float>) -> SIMD4<Float> {
        var total = SIMD4<Float>.zero
        for tap in 0..<4 {
            let line = min(max(row + tap - 1, 0), height - 1) * width
            for step in 0..<4 {
                let place = bytes + 3 * (line + min(max(column + step - 1, 0), width - 1))
                total += Self.pixel(place) * (across[step] * down[tap])
            }
        }
        return total
    }

    @inline(__always)
    private static func line(_ start: UnsafePointer<UInt8>, _ weights: SIMD4<Float>) -> SIMD4<Float> {
        pixel(start) * weights[0] + pixel(start + 3) * weights[1] + pixel(start + 6) * weights[2] + pixel(start + 9) * weights[3]
    }

    @inline(__always)
    private static func pixel(_ start: UnsafePointer<UInt8>) -> SIMD4<Float> {
        SIMD4(Float(start[0]), Float(start[1]), Float(start[2]), 0)
    }

    /// The weights of four neighbours at a fraction of the way from the second to the third.
    @inline(__always)
    private static func weights(_ t: Float) -> SIMD4<Float> {
        let cube = SIMD4<Float>(-0.5, 1.5, -1.5, 0.5) * t
        let square = (cube + SIMD4<Float>(1, -2.5, 2, -0.5)) * t
        return (square + SIMD4<Float>(-0.5, 0, 0.5, 0)) * t + SIMD4<Float>(0, 1, 0, 0)
    }
}
