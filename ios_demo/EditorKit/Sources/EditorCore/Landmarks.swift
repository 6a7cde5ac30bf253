import Foundation

/// Five points of a face in pixels of the upright photo, origin at its top left corner; left and right as seen in the picture.
public struct Landmarks: Equatable, Sendable {
    /// The order of the points in a bundle's template.
    static let names = ["left_eye", "right_eye", "nose", "left_mouth", "right_mouth"]

    /// Centre of the eye on the left of the picture.
    public var leftEye: SIMD2<Double>
    /// Centre of the eye on the right of the picture.
    public var rightEye: SIMD2<Double>
    /// Tip of the nose.
    public var nose: SIMD2<Double>
    /// Corner of the mouth on the left of the picture.
    public var leftMouth: SIMD2<Double>
    /// Corner of the mouth on the right of the picture.
    public var rightMouth: SIMD2<Double>

    /// Makes landmarks of five points in pixels.
    public init(
        leftEye: SIMD2<Double>, rightEye: SIMD2<Double>, nose: SIMD2<Double>, leftMouth: SIMD2<Double>,
        rightMouth: SIMD2<Double>
    ) {
        self.leftEye = leftEye
        self.rightEye = rightEye
        self.nose = nose
        self.leftMouth = leftMouth
        self.rightMouth = rightMouth
    }

    /// The points in the order of their names.
    var points: [SIMD2<Double>] { [leftEye, rightEye, nose, leftMouth, rightMouth] }
    /// From the left to the right eye.
    var across: SIMD2<Double> { rightEye - leftEye }
    /// From between the eyes to between the corners of the mouth.
    var down: SIMD2<Double> { (leftMouth + rightMouth) / 2 - betweenEyes }
    /// Halfway from eye to eye.
    var betweenEyes: SIMD2<Double> { (leftEye + rightEye) / 2 }
}

/// Why no crop follows from landmarks.
public enum AlignmentError: Error, Equatable, CustomStringConvertible {
    /// A point is not on the photo.
    case outside(String)
    /// The points leave no direction.
    case coincident
    /// Left and right, or up and down, are exchanged.
    case swapped
    /// The crop would be far larger than the photo; its side in pixels.
    case tooLarge(Double)
    /// The crop lies beside the photo: it was made for another one.
    case offPhoto

    /// The reason for people.
    public var description: String {
        switch self {
        case .outside(let name): "landmark \(name) lies outside the photo"
        case .coincident: "landmarks coincide; give the points of one face"
        case .swapped: "landmarks are swapped: left and right are meant as seen in the image"
        case .tooLarge(let side): "landmarks ask for a crop of \(side.rounded()) px; check them"
        case .offPhoto: "the crop does not touch the photo; it belongs to another one"
        }
    }
}

extension AlignmentError: LocalizedError {
    /// The same as `description`.
    public var errorDescription: String? { description }
}
