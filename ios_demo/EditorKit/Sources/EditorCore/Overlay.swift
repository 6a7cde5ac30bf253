/// What one edit does to one photo, in its crop: the compositor's answer in the form that drawing reads.
///
/// The planes lie on a grid of `side` by `side` cells, row by row from the top.
public struct Overlay: Sendable {
    /// Planes of the compositor's answer.
    private static let (flowX, flowY, mask, detail, share, paint) = (0, 1, 2, 3, 4, 5)
    /// The number of those planes.
    static let planes = 8
    // What the numbers of the flow mean, in fractions of the crop's side.
    private static let flowUnit: Float = 0.1
    // No network moves farther than across the crop; a damaged one may ask for anything.
    private static let farthest: Float = 1

    /// M, of the planes and of `low`.
    let side: Int
    /// Per cell: flow right and down in fractions of the crop's side, mask 0 to 1, share of the photo's fine luminance 0 to 2.
    let motion: [SIMD4<Float>]
    /// Per cell: red, green and blue -1 to 1, share of the decode 0 to 1.
    let paint: [SIMD4<Float>]
    /// Per place between four cells, counted from the one above and left: 0 where nothing moves or is painted.
    let changes: [UInt8]
    /// The decode after the edit, -1 to 1.
    let after: ColourGrid
    /// What is added to the painted levels, 0 to 255, so that they are in the photo's own colours; nil in sRGB.
    let colours: ColourGrid?
    /// Levels of the photo's crop, of which what is finer counts as fine.
    let low: [Float]

    /// - Parameters:
    ///   - fields: [1, 8, M, M], as `FaceNetworks.composite` gave them.
    ///   - after: the decode after the edit.
    ///   - pixels: what that decode's levels mean to the networks.
    ///   - low: [M, M] of the photo's crop, by `RGBImage.lowered`.
    ///   - colours: takes the painted picture to the photo's own colours; nil in sRGB.
    /// - Precondition: the shapes are those.
    public init(
        fields: Tensor, after: RGBImage, pixels: PixelSpec, low: Tensor, colours: ((RGBImage) throws -> RGBImage)? = nil
    ) rethrows {
        let side = fields.shape.last ?? 0
        precondition(side > 1 && fields.shape == [1, Self.planes, side, side], "no fields have the shape \(fields.shape)")
        precondition(low.shape == [side, side], "the luminance has the shape \(low.shape), the fields a side of \(side)")
        let plane = { (number: Int, cell: Int) in fields.values[number * side * side + cell] }
        let flow = { (number: Int, cell: Int) in
            min(max(plane(number, cell) * Self.flowUnit, -Self.farthest), Self.farthest)
        }
        let motion = (0..<side * side).map {
            SIMD4(flow(Self.flowX, $0), flow(Self.flowY, $0), plane(Self.mask, $0), plane(Self.detail, $0))
        }
        let paint = (0..<side * side).map {
            SIMD4(plane(Self.paint, $0), plane(Self.paint + 1, $0), plane(Self.paint + 2, $0), plane(Self.share, $0))
        }
        (self.side, self.motion, self.paint, self.low) = (side, motion, paint, low.values)
        let drawn = ColourGrid(pixels.clamped(after), side: after.width)
        self.after = drawn
        changes = Self.changes(motion, side)
        self.colours = try colours.flatMap {
            try Self.shift(drawn, CellGrid(side: side, cells: paint), $0)
        }
    }

    private static func changes(_ motion: [SIMD4<Float>], _ side: Int) -> [UInt8] {
        var changes = [UInt8](repeating: 0, count: side * side)
        let changed = motion.map { $0.x != 0 || $0.y != 0 || $0.z > 0 }
        for y in 0..<side - 1 {
            for x in 0..<side - 1 {
                let cell = y * side + x
                let any = changed[cell] || changed[cell + 1] || changed[cell + side] || changed[cell + side + 1]
                changes[cell] = any ? 1 : 0
            }
        }
        return changes
    }

    /// What another colour space makes of the painted picture, in the decode's resolution, as differences of levels.
    private static func shift(
        _ after: ColourGrid, _ paint: CellGrid, _ colours: (RGBImage) throws -> RGBImage
    ) rethrows -> ColourGrid? {
        let side = after.side
        let bytes = after.pixels.enumerated().flatMap { place, decode in
            let unit = SIMD2(Double(place % side) + 0.5, Double(place / side) + 0.5) / Double(side)
            let levels = Self.level(decode, paint.value(at: unit)) + 0.5
            return (0..<3).map { UInt8(levels[$0]) }
        }
        let picture = RGBImage(width: side, height: side, bytes: bytes)
        let own = try colours(picture)
        precondition(own.width == side && own.height == side, "a picture changed its size with its colours")
        guard own != picture else { return nil }
        let shift = zip(own.colours, picture.colours).map { $0 - $1 }
        return ColourGrid(shift, side: side)
    }

    /// What is painted, in levels of 0 to 255: the decode times its share, plus the paint.
    @inline(__always)
    static func level(_ after: SIMD4<Float>, _ paint: SIMD4<Float>) -> SIMD4<Float> {
        var content = after * paint.w + paint
        // `pointwiseMin` and `pointwiseMax` are calls, lane by lane.
        content.replace(with: -1, where: content .< -1)
        content.replace(with: 1, where: content .> 1)
        return (content + 1) * 127.5
    }
}

/// A square of colours, the fourth lane unused.
struct ColourGrid: Sendable {
    let side: Int
    let pixels: [SIMD4<Float>]

    init(_ pixels: [SIMD4<Float>], side: Int) {
        precondition(side > 1 && pixels.count == side * side, "\(pixels.count) colours are no square of side \(side)")
        (self.side, self.pixels) = (side, pixels)
    }
}

/// A square grid that is read between its cells by their bilinear mean, clamped at its edges.
struct CellGrid {
    let side: Int
    let cells: [SIMD4<Float>]

    func value(at unit: SIMD2<Double>) -> SIMD4<Float> {
        cells.withUnsafeBufferPointer { GridPlace(unit, side).mean($0.baseAddress.unsafelyUnwrapped, side) }
    }
}

/// Where a point of the unit square lies on a grid: its cell above and left, and how far it is from there.
struct GridPlace {
    let cell: Int
    private let x: Float
    private let y: Float

    /// - Precondition: the side is 2 or more.
    @inline(__always)
    init(_ unit: SIMD2<Double>, _ side: Int) {
        let (last, scale) = (Double(side &- 1), Double(side))
        let across = min(max(unit.x * scale - 0.5, 0), last)
        let down = min(max(unit.y * scale - 0.5, 0), last)
        let (column, row) = (min(Int(across), side &- 2), min(Int(down), side &- 2))
        cell = row &* side &+ column
        (x, y) = (Float(across - Double(column)), Float(down - Double(row)))
    }

    @inline(__always)
    func mean(_ grid: UnsafePointer<SIMD4<Float>>, _ side: Int) -> SIMD4<Float> {
        let corner = grid + cell
        let above = corner[0] + (corner[1] - corner[0]) * x
        let below = corner[side] + (corner[side &+ 1] - corner[side]) * x
        return above + (below - above) * y
    }

    @inline(__always)
    func mean(_ grid: UnsafePointer<Float>, _ side: Int) -> Float {
        let corner = grid + cell
        let above = corner[0] + (corner[1] - corner[0]) * x
        let below = corner[side] + (corner[side &+ 1] - corner[side]) * x
        return above + (below - above) * y
    }
}
