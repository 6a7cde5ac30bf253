import Foundation
import Testing

@testable import EditorCore

@Suite("Crop, paste, pixels and strength as in Python")
struct GeometryTests {
    struct Alignment: Decodable {
        struct Case: Decodable {
            let name: String
            let photo: [Int]
            let rule: RuleVector
            let landmarks: [[Double?]]?
            let refused: String?
            let transform: TransformVector?
        }
        let tolerancePx: Double
        let cases: [Case]
    }

    @Test func cropsLieWhereTheRuleSays() throws {
        let vectors: Alignment = try Contracts.load("alignment.json")
        for example in vectors.cases {
            let (width, height) = (example.photo[0], example.photo[1])
            guard let points = example.landmarks else {
                let wanted = try #require(example.transform).transform
                #expect(CropTransform(centralSquareOf: width, height) == wanted, "\(example.name)")
                continue
            }
            let found = Result { () throws(AlignmentError) in
                try CropTransform(landmarks: landmarks(points), width: width, height: height, rule: example.rule.rule)
            }
            switch (found, example.transform, example.refused) {
            case (.success(let transform), let wanted?, nil):
                let error = max(
                    (transform.origin - wanted.transform.origin).length, (transform.axis - wanted.transform.axis).length
                )
                #expect(error <= vectors.tolerancePx, "\(example.name)")
            case (.failure(let error), nil, let words?):
                #expect(error.description.contains(words), "\(example.name)")
            default:
                Issue.record("\(example.name): \(found)")
            }
        }
    }

    @Test func aTransformInvertsItself() {
        let transform = CropTransform(origin: SIMD2(3, -2), axis: SIMD2(30, 40))
        #expect(transform.side == 50)  // a 3-4-5 triangle
        let point = transform.cropPoint(transform.photoPoint(SIMD2(0.3, 0.9)))
        #expect((point - SIMD2(0.3, 0.9)).length < 1e-12)
    }

    @Test func aPreviewShowsTheSameFace() throws {
        let vectors: Pastes = try Contracts.load("pastes.json")
        let photo = vectors.photo.image
        #expect(photo.fitting(longerSide: photo.width) == photo)
        let preview = photo.fitting(longerSide: photo.width / 2)
        #expect(preview.width == photo.width / 2 && preview.height == photo.height / 2)
        let transform = CropTransform(origin: SIMD2(4, 6), axis: SIMD2(12, 4))
        let half = transform.scaled(by: 0.5)
        #expect(half.side == transform.side / 2)
        #expect(half.photoPoint(SIMD2(0.5, 0.5)) == transform.photoPoint(SIMD2(0.5, 0.5)) / 2)
    }

    struct Crops: Decodable {
        struct Case: Decodable {
            let name: String
            let landmarks: [[Double?]]?
            let size: Int
            let crop: ImageVector
        }
        let toleranceLevels: Int
        let photo: ImageVector
        let rule: RuleVector
        let cases: [Case]
    }

    @Test func cropsHaveTheSamePixels() throws {
        let vectors: Crops = try Contracts.load("crops.json")
        let photo = vectors.photo.image
        for example in vectors.cases {
            let transform =
                try example.landmarks.map {
                    try CropTransform(
                        landmarks: landmarks($0), width: photo.width, height: photo.height, rule: vectors.rule.rule)
                } ?? CropTransform(centralSquareOf: photo.width, photo.height)
            let crop = try photo.crop(transform, size: example.size)
            #expect(levels(crop, example.crop.image) <= vectors.toleranceLevels, "\(example.name)")
        }
    }

    struct Pastes: Decodable {
        struct Case: Decodable {
            let name: String
            let transform: TransformVector
            let addsTheChangeOnly: Bool
            let result: ImageVector
        }
        let toleranceLevels: Int
        let masks: [String: [UInt8]]
        let photo: ImageVector
        let edited: ImageVector
        let reconstruction: ImageVector
        let cases: [Case]
    }

    @Test func masksAreTheSame() throws {
        let vectors: Pastes = try Contracts.load("pastes.json")
        for (side, opacity) in vectors.masks {
            #expect(Raster.softMask(side: try #require(Int(side))).bytes == opacity)
        }
    }

    @Test func pastedPhotosHaveTheSamePixels() throws {
        let vectors: Pastes = try Contracts.load("pastes.json")
        for example in vectors.cases {
            let result = vectors.photo.image.pasting(
                vectors.edited.image, at: example.transform.transform,
                reconstruction: example.addsTheChangeOnly ? vectors.reconstruction.image : nil)
            #expect(levels(result, example.result.image) <= vectors.toleranceLevels, "\(example.name)")
        }
    }

    struct Pixels: Decodable {
        struct Picture: Decodable {
            let side: Int
            let interleaved: [UInt8]
            let planar: [Float]
        }
        struct Case: Decodable {
            let minimum: Double
            let maximum: Double
            let valuesOfAllBytes: [Float]
            let numbers: [Float]
            let bytesOfNumbers: [UInt8]
            let image: Picture
        }
        let cases: [Case]
    }

    @Test func bytesAndNumbersConvertExactly() throws {
        let vectors: Pixels = try Contracts.load("pixels.json")
        for example in vectors.cases {
            let spec = PixelSpec(size: 8, minimum: example.minimum, maximum: example.maximum)
            let grey = (0..<256).flatMap { [UInt8](repeating: UInt8($0), count: 3) }
            let values = spec.tensor(RGBImage(width: 256, height: 1, bytes: grey)).values
            #expect(Array(values[..<256]) == example.valuesOfAllBytes)
            let count = example.numbers.count
            let numbers = Tensor(shape: [1, 3, 1, count], values: example.numbers + example.numbers + example.numbers)
            #expect(spec.image(numbers).bytes == example.bytesOfNumbers.flatMap { [$0, $0, $0] })
            let side = example.image.side
            let picture = RGBImage(width: side, height: side, bytes: example.image.interleaved)
            #expect(spec.tensor(picture) == Tensor(shape: [1, 3, side, side], values: example.image.planar))
        }
    }

    struct Edits: Decodable {
        struct Applied: Decodable {
            let strength: Double
            let result: [Float]
        }
        struct Asked: Decodable {
            let standard: Double
            let minimum: Double
            let maximum: Double
            let asked: Double?
            let used: Double?

            enum Keys: String, CodingKey { case `default`, minimum, maximum, asked, used }

            init(from decoder: any Decoder) throws {
                let values = try decoder.container(keyedBy: Keys.self)
                standard = try values.decode(Double.self, forKey: .default)
                minimum = try values.decode(Double.self, forKey: .minimum)
                maximum = try values.decode(Double.self, forKey: .maximum)
                // JSON has no number that is none.
                let isNumber = (try? values.decodeIfPresent(String.self, forKey: .asked)) != "NaN"
                asked = isNumber ? try values.decodeIfPresent(Double.self, forKey: .asked) : .nan
                used = try values.decodeIfPresent(Double.self, forKey: .used)
            }
        }
        let wPlus: [Float]
        let deltaW: [Float]
        let applied: [Applied]
        let text: [Float]
        let wPlusText: [Float]
        let ranges: [Asked]
    }

    @Test func editsMoveExactlyAsFar() throws {
        let vectors: Edits = try Contracts.load("edits.json")
        let wPlus = Tensor(shape: [1, 2, 3], values: vectors.wPlus)
        let delta = Tensor(shape: [1, 2, 3], values: vectors.deltaW)
        for example in vectors.applied {
            #expect(wPlus.moved(along: delta, by: example.strength).values == example.result)
        }
        let packed = wPlus.withText(Tensor(shape: [1, 3], values: vectors.text))
        #expect(packed == Tensor(shape: [1, 3, 3], values: vectors.wPlusText))
    }

    @Test func strengthsOutsideTheRangeAreRefused() throws {
        let vectors: Edits = try Contracts.load("edits.json")
        for example in vectors.ranges {
            let range = StrengthRange(
                standard: example.standard, minimum: example.minimum, maximum: example.maximum)
            let asked = example.asked ?? range.standard
            #expect((range.contains(asked) ? asked : nil) == example.used)
        }
    }
}
