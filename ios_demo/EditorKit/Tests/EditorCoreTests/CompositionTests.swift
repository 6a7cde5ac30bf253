import Foundation
import Testing

@testable import EditorCore

@Suite("An edit drawn on the photo itself, as Python draws it")
struct CompositionTests {
    struct Vectors: Decodable {
        struct Case: Decodable {
            let name: String
            let transform: TransformVector
            let fields: Data
            let result: ImageVector
        }
        let toleranceLevels: Int
        let guideSide: Int
        let guides: Data
        let guidesTolerance: Float
        let photo: ImageVector
        let crop: ImageVector
        let before: ImageVector
        let after: ImageVector
        let cases: [Case]

        /// The vectors' photos are of a model whose range is -1 to 1.
        let pixels = PixelSpec(size: 16, minimum: -1, maximum: 1)

        enum CodingKeys: String, CodingKey {
            case toleranceLevels, guideSide, guides, guidesTolerance, photo, crop, before, after, cases
        }

        func overlay(_ example: Case, colours: ((RGBImage) throws -> RGBImage)? = nil) throws -> Overlay {
            let fields = try Tensor(littleEndian: example.fields, shape: [1, 8, guideSide, guideSide], source: example.name)
            return try Overlay(
                fields: fields, after: after.image, pixels: pixels, low: crop.image.lowered(to: guideSide), colours: colours)
        }
    }

    private let vectors: Vectors

    init() throws { vectors = try Contracts.load("compositions.json") }

    @Test func drawnPhotosHaveTheSamePixels() throws {
        for example in vectors.cases {
            let result = vectors.photo.image.drawing(try vectors.overlay(example), at: example.transform.transform)
            #expect(levels(result, example.result.image) <= vectors.toleranceLevels, "\(example.name)")
        }
    }

    @Test func theCompositorSeesTheSameGuides() throws {
        let guides = Guides(
            photo: vectors.crop.image, before: vectors.before.image, side: vectors.guideSide, pixels: vectors.pixels
        ).tensor(after: vectors.after.image)
        let expected = try Tensor(littleEndian: vectors.guides, shape: guides.shape, source: "guides")
        let worst = zip(guides.values, expected.values).map { abs($0 - $1) }.max() ?? 1
        #expect(worst <= vectors.guidesTolerance)
    }

    @Test func rowsOfAPhotoAreDrawnAsThePhotoIs() throws {
        let photo = vectors.photo.image
        for example in vectors.cases {
            let (overlay, place) = (try vectors.overlay(example), example.transform.transform)
            let whole = photo.drawing(overlay, at: place)
            let composition = Composition(overlay, at: place, width: photo.width, height: photo.height)
            var (bytes, window) = ([UInt8](), RowWindow(width: photo.width))
            for band in [0..<5, 5..<6, 6..<30, 30..<photo.height] {
                var rows = photo.rows(band)
                if let needed = composition.needed(for: band) {
                    try window.move(to: needed, of: photo)
                    composition.draw(on: &rows, rows: band, from: window)
                }
                bytes += rows.bytes
            }
            #expect(bytes == whole.bytes, "\(example.name)")
        }
    }

    @Test func nothingMovedOrPaintedIsThePhotoAndNeedsNoRows() throws {
        let side = vectors.guideSide
        var values = [Float](repeating: 0.5, count: 8 * side * side)
        for index in 0..<3 * side * side { values[index] = 0 }
        let overlay = Overlay(
            fields: Tensor(shape: [1, 8, side, side], values: values), after: vectors.after.image, pixels: vectors.pixels,
            low: vectors.crop.image.lowered(to: side))
        let place = CropTransform(origin: SIMD2(2, 3), axis: SIMD2(20, 4))
        #expect(vectors.photo.image.drawing(overlay, at: place) == vectors.photo.image)
        #expect(Composition(overlay, at: place, width: 40, height: 36).needed(for: 0..<36) == nil)
    }

    @Test func paintComesInThePhotosOwnColours() throws {
        let side = vectors.guideSide
        // Mask 1, no detail, the decode alone: what is painted is the decode in other colours.
        let planes: [Float] = [0, 0, 1, 0, 1, 0, 0, 0]
        let fields = Tensor(shape: [1, 8, side, side], values: planes.flatMap { [Float](repeating: $0, count: side * side) })
        let exchanged = { (picture: RGBImage) throws -> RGBImage in
            RGBImage(width: picture.width, height: picture.height, bytes: picture.bytes.map { 255 - $0 })
        }
        let overlay = try Overlay(
            fields: fields, after: vectors.after.image, pixels: vectors.pixels, low: vectors.crop.image.lowered(to: side),
            colours: exchanged)
        // The decode has 16 pixels a side, and so has its place: each pixel shows one of its own.
        let place = CropTransform(origin: SIMD2(4, 4), axis: SIMD2(16, 0))
        let drawn = vectors.photo.image.drawing(overlay, at: place)
        let plain = vectors.photo.image.rows(0..<36)
        for row in 4..<20 {
            for column in 12..<60 {
                let expected = 255 - vectors.after.image.bytes[(row - 4) * 48 + column - 12]
                #expect(abs(Int(drawn.bytes[row * 120 + column]) - Int(expected)) <= 1)
            }
        }
        #expect(drawn.bytes[..<480] == plain.bytes[..<480])
    }
}
