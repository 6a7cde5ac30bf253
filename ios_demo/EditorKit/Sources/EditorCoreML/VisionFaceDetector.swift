#if canImport(CoreML)
    import CoreGraphics
    import EditorCore
    import Foundation
    import Vision

    /// Faces by the Vision framework.
    public struct VisionFaceDetector: FaceDetector {
        /// Vision needs nothing.
        public init() {}

        /// The five points of every face.
        public func faces(in picture: RGBImage) async throws -> [Landmarks] {
            let request = VNDetectFaceLandmarksRequest()
            try VNImageRequestHandler(cgImage: try picture.cgImage(), options: [:]).perform([request])
            let size = CGSize(width: picture.width, height: picture.height)
            return (request.results ?? []).compactMap { face in face.landmarks.flatMap { Self.landmarks($0, size) } }
        }

        private static func landmarks(_ face: VNFaceLandmarks2D, _ size: CGSize) -> Landmarks? {
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
                leftEye: sortedEyes[0], rightEye: sortedEyes[1], nose: nose, leftMouth: leftMouth,
                rightMouth: rightMouth)
        }

        /// Vision counts from the lower left corner.
        private static func points(_ region: VNFaceLandmarkRegion2D?, _ size: CGSize) -> [SIMD2<Double>] {
            (region?.pointsInImage(imageSize: size) ?? []).map { SIMD2(Double($0.x), Double(size.height - $0.y)) }
        }

        private static func centre(_ points: [SIMD2<Double>]) -> SIMD2<Double>? {
            points.isEmpty ? nil : points.reduce(.zero, +) / Double(points.count)
        }
    }
#endif
