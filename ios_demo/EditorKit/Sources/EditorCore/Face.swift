/// Where a face may be edited: one that a detector found, or a square that the user drew.
public struct Face: Equatable, Sendable, Identifiable {
    /// Its number on the photo.
    public let id: Int
    /// Where its crop lies on the photo.
    public let crop: CropTransform
    /// The five points, in photo pixels; nil for a square that was drawn.
    public let landmarks: Landmarks?

    /// A face that a detector found.
    ///
    /// - Parameters:
    ///   - id: its number on the photo.
    ///   - crop: where it is cut out.
    ///   - landmarks: in photo pixels.
    public init(id: Int, crop: CropTransform, landmarks: Landmarks?) {
        self.id = id
        self.crop = crop
        self.landmarks = landmarks
    }

    /// A square that the user drew, upright.
    ///
    /// - Parameters:
    ///   - centre: in photo pixels.
    ///   - side: in photo pixels.
    public static func drawn(centre: SIMD2<Double>, side: Double) -> Face {
        Face(id: -1, crop: CropTransform(origin: centre - side / 2, axis: SIMD2(side, 0)), landmarks: nil)
    }

    /// Centre of the ring that shows it, in photo pixels.
    public var centre: SIMD2<Double> { crop.photoPoint(SIMD2(0.5, 0.5)) }
    /// Radius of that ring in photo pixels.
    public var radius: Double { crop.side / 2 }
}

/// Finds faces. Another detector is another type of this protocol.
public protocol FaceDetector: Sendable {
    /// The five points of every face, in pixels of the picture; none for a picture without a face.
    func faces(in picture: RGBImage) async throws -> [Landmarks]
}

extension Landmarks {
    /// The same points on the picture in another size.
    func scaled(by factor: Double) -> Landmarks {
        Landmarks(
            leftEye: factor * leftEye, rightEye: factor * rightEye, nose: factor * nose, leftMouth: factor * leftMouth,
            rightMouth: factor * rightMouth)
    }
}
