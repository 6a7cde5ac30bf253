import CoreGraphics
import EditorCore
import EditorCoreML
import Vision

/// Face landmarks by the Vision framework.
struct VisionFaceAligner: FaceAligner {
    func landmarks(in photo: RGBImage) async throws -> Landmarks? {
        let faces = try await DetectFaceLandmarksRequest().perform(on: try photo.cgImage())
        let largest = faces.max { Self.area($0) < Self.area($1) }
        guard let points = largest?.landmarks else { return nil }
        return Self.landmarks(points, in: CGSize(width: photo.width, height: photo.height))
    }

    private static func area(_ face: FaceObservation) -> CGFloat {
        face.boundingBox.width * face.boundingBox.height
    }

    private static func landmarks(_ face: FaceObservation.Landmarks2D, in size: CGSize) -> Landmarks? {
        let eyes = [face.leftEye, face.rightEye].compactMap { centre(points($0, size)) }
        let lips = points(face.outerLips, size)
        guard eyes.count == 2, let mouth = centre(lips) else { return nil }
        let down = mouth - (eyes[0] + eyes[1]) / 2
        // The direction from the left to the right of the face as seen in the picture, however the head is turned.
        let right = SIMD2(down.y, -down.x)
        let along = { (point: SIMD2<Double>) in (point * right).sum() }
        let sortedEyes = eyes.sorted { along($0) < along($1) }
        guard let leftMouth = lips.min(by: { along($0) < along($1) }),
            let rightMouth = lips.max(by: { along($0) < along($1) }),
            let nose = points(face.noseCrest, size).max(by: { ($0 * down).sum() < ($1 * down).sum() })
        else { return nil }
        return Landmarks(
            leftEye: sortedEyes[0], rightEye: sortedEyes[1], nose: nose, leftMouth: leftMouth, rightMouth: rightMouth)
    }

    private static func points(_ region: FaceObservation.Landmarks2D.Region, _ size: CGSize) -> [SIMD2<Double>] {
        region.pointsInImageCoordinates(size, origin: .upperLeft).map { SIMD2(Double($0.x), Double($0.y)) }
    }

    private static func centre(_ points: [SIMD2<Double>]) -> SIMD2<Double>? {
        points.isEmpty ? nil : points.reduce(.zero, +) / Double(points.count)
    }
}
