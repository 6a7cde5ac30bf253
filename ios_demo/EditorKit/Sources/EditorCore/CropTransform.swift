import Foundation

/// Where a crop lies relative to eyes and mouth (Karras et al. 2019, appendix A).
public struct CropRule: Equatable, Sendable {
    /// Half the crop's side in distances between the eyes.
    public let eyeFactor: Double
    /// Half the crop's side in distances from eyes to mouth; the larger of the two counts.
    public let mouthFactor: Double
    /// Factor on that size.
    public let margin: Double
    /// Distance of the crop's centre below the eyes, in distances from eyes to mouth.
    public let drop: Double

    /// Makes a rule of its four numbers.
    public init(eyeFactor: Double, mouthFactor: Double, margin: Double, drop: Double) {
        self.eyeFactor = eyeFactor
        self.mouthFactor = mouthFactor
        self.margin = margin
        self.drop = drop
    }
}

/// A similarity from the crop, as the unit square with y down, to photo pixels.
public struct CropTransform: Equatable, Sendable {
    // A distance below this many pixels leaves the direction of the face to rounding errors.
    private static let minimumDistance = 2.0
    // A face can reach beyond its photo, but a crop this many times larger than the photo is a mistake in the landmarks.
    private static let maximumCropToPhoto = 3.0

    /// Photo position of the crop's top left corner.
    public let origin: SIMD2<Double>
    /// Photo vector along the crop's top edge; its length is the crop's side in photo pixels.
    public let axis: SIMD2<Double>

    /// - Parameters:
    ///   - origin: photo position of the top left corner in pixels.
    ///   - axis: photo vector along the top edge, as long as the side in photo pixels.
    public init(origin: SIMD2<Double>, axis: SIMD2<Double>) {
        self.origin = origin
        self.axis = axis
    }

    /// The crop of a face.
    ///
    /// - Parameters:
    ///   - landmarks: five points on the photo.
    ///   - width: of the photo in pixels.
    ///   - height: of the photo in pixels.
    ///   - rule: the bundle's.
    /// - Throws: the points lie outside the photo, are exchanged, or give no direction or size.
    public init(
        landmarks: Landmarks, width: Int, height: Int, rule: CropRule
    ) throws(AlignmentError) {
        let (across, down) = (landmarks.across, landmarks.down)
        try Self.check(landmarks, width, height)
        let half = rule.margin * max(rule.eyeFactor * across.length, rule.mouthFactor * down.length)
        guard 2 * half <= Self.maximumCropToPhoto * Double(max(width, height)) else {
            throw .tooLarge(2 * half)
        }
        let direction = across - down.quarterTurn
        let axis = direction * (half / direction.length)
        origin = landmarks.betweenEyes + rule.drop * down - axis - axis.quarterTurn
        self.axis = 2 * axis
    }

    /// The largest central square, for a photo that is a portrait already.
    public init(centralSquareOf width: Int, _ height: Int) {
        let side = min(width, height)
        origin = SIMD2(Double((width - side) / 2), Double((height - side) / 2))
        axis = SIMD2(Double(side), 0)
    }

    /// The same crop of the same photo in another size, e.g. a preview of it.
    public func scaled(by factor: Double) -> CropTransform {
        CropTransform(origin: factor * origin, axis: factor * axis)
    }

    /// Side of the crop in photo pixels.
    public var side: Double { axis.length }

    /// The photo position of a point of the unit crop.
    public func photoPoint(_ crop: SIMD2<Double>) -> SIMD2<Double> {
        origin + crop.x * axis + crop.y * axis.quarterTurn
    }

    /// The point of the unit crop at a photo position.
    public func cropPoint(_ photo: SIMD2<Double>) -> SIMD2<Double> {
        let offset = photo - origin
        return SIMD2(offset.dot(axis), offset.dot(axis.quarterTurn)) / axis.dot(axis)
    }

    /// The smallest box that holds the crop, or a part of it between two points of the unit crop, and some pixels around it.
    func bounds(
        from first: SIMD2<Double> = .zero, to last: SIMD2<Double> = .one, context: Double
    ) -> (low: SIMD2<Double>, high: SIMD2<Double>) {
        let corners = [first, SIMD2(last.x, first.y), SIMD2(first.x, last.y), last].map(photoPoint)
        let low = corners.dropFirst().reduce(corners[0]) { pointwiseMin($0, $1) }
        let high = corners.dropFirst().reduce(corners[0]) { pointwiseMax($0, $1) }
        return (low - context, high + context)
    }

    /// Photo pixels of a movement, right and down in the crop, in fractions of its side.
    @inline(__always)
    func displacement(_ right: Float, _ down: Float) -> SIMD2<Double> {
        let (x, y) = (Double(right), Double(down))
        return SIMD2(axis.x * x - axis.y * y, axis.y * x + axis.x * y)
    }

    private static func check(_ landmarks: Landmarks, _ width: Int, _ height: Int) throws(AlignmentError) {
        for (name, point) in zip(Landmarks.names, landmarks.points) {
            guard (0...Double(width)).contains(point.x), (0...Double(height)).contains(point.y) else {
                throw .outside(name)
            }
        }
        let (across, down) = (landmarks.across, landmarks.down)
        guard min(across.length, down.length) >= minimumDistance else { throw .coincident }
        // The mouth lies clockwise of the line from the left to the right eye, however the head is turned.
        guard across.x * down.y - across.y * down.x > 0 else { throw .swapped }
    }
}

extension SIMD2<Double> {
    var length: Double { hypot(x, y) }
    /// Turned by 90 degrees, clockwise on a screen whose y points down.
    var quarterTurn: SIMD2<Double> { SIMD2(-y, x) }

    func dot(_ other: SIMD2<Double>) -> Double { x * other.x + y * other.y }
}
