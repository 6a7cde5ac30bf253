import Foundation

@testable import EditorCore

/// The vectors in tests/contracts of the repository, written by the Python packages.
enum Contracts {
    static let folder = URL(filePath: #filePath).appending(path: "../../../../../tests/contracts").standardizedFileURL

    static func load<Vectors: Decodable>(_ name: String, as type: Vectors.Type = Vectors.self) throws -> Vectors {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: Data(contentsOf: folder.appending(path: name)))
    }
}

struct ImageVector: Decodable {
    let width: Int
    let height: Int
    let rgb: Data

    var image: RGBImage { RGBImage(width: width, height: height, bytes: [UInt8](rgb)) }
}

struct TransformVector: Decodable {
    let origin: [Double]
    let axis: [Double]

    var transform: CropTransform {
        CropTransform(origin: SIMD2(origin[0], origin[1]), axis: SIMD2(axis[0], axis[1]))
    }
}

struct RuleVector: Decodable {
    let eyeFactor: Double
    let mouthFactor: Double
    let margin: Double
    let drop: Double

    var rule: CropRule { CropRule(eyeFactor: eyeFactor, mouthFactor: mouthFactor, margin: margin, drop: drop) }
}

func landmarks(_ points: [[Double?]]) -> Landmarks {
    let points = points.map { SIMD2($0[0] ?? .nan, $0[1] ?? .nan) }
    return Landmarks(
        leftEye: points[0], rightEye: points[1], nose: points[2], leftMouth: points[3], rightMouth: points[4])
}

/// The largest difference of two images of the same size, in levels.
func levels(_ first: RGBImage, _ second: RGBImage) -> Int {
    zip(first.bytes, second.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
}
