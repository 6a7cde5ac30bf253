import Foundation
import Testing

@testable import EditorCore

@Suite("Edits of networks with a compositor are drawn on the photo", .timeLimit(.minutes(5)))
struct ComposedEditTests {
    private static let guide = 8

    /// A bundle's networks with a compositor that moves and paints all but the rim, and keeps what it was shown.
    private actor Compositor {
        private(set) var shown: [Tensor] = []

        func fields(_ guides: Tensor) -> Tensor {
            shown.append(guides)
            let side = ComposedEditTests.guide
            // Flow right and up, mask, detail, share, paint.
            let planes: [Float] = [0.8, -0.6, 0.7, 1, 0.5, 0.2, -0.1, 0.3]
            let values = planes.enumerated().flatMap { number, value in
                (0..<side * side).map { cell in
                    let (x, y) = (cell % side, cell / side)
                    return number < 3 && (x == 0 || y == 0 || x == side - 1 || y == side - 1) ? 0 : value
                }
            }
            return Tensor(shape: [1, 8, side, side], values: values)
        }
    }

    private struct Networks: FaceNetworks {
        let bundle: BundleNetworks
        let compositor = Compositor()
        var guideSide: Int? { ComposedEditTests.guide }
        var prompts: [Manifest.Prompt] { bundle.prompts }
        var pixels: PixelSpec { bundle.pixels }
        var cropRule: CropRule { bundle.cropRule }

        func encode(_ face: RGBImage) async throws -> Tensor { try await bundle.encode(face) }
        func delta(of prompt: String, at wPlus: Tensor) async throws -> Tensor {
            try await bundle.delta(of: prompt, at: wPlus)
        }
        func decode(_ wPlus: Tensor) async throws -> RGBImage { try await bundle.decode(wPlus) }
        func composite(_ guides: Tensor) async throws -> Tensor { await compositor.fields(guides) }
    }

    private struct NoFaces: FaceDetector {
        func faces(in picture: RGBImage) async throws -> [Landmarks] { [] }
    }

    private struct Rows: PhotoSink {
        var bytes: [UInt8] = []

        mutating func write(_ rows: RGBImage) throws { bytes += rows.bytes }
    }

    /// A photo whose own colours are those of sRGB in reverse.
    private struct Negative: PhotoSource {
        let picture: RGBImage
        var width: Int { picture.width }
        var height: Int { picture.height }

        func rows(_ range: Range<Int>) -> RGBImage { picture.rows(range) }
        func sRGB(_ picture: RGBImage) -> RGBImage { Self.reversed(picture) }
        func ownColours(_ picture: RGBImage) -> RGBImage { Self.reversed(picture) }

        static func reversed(_ picture: RGBImage) -> RGBImage {
            RGBImage(width: picture.width, height: picture.height, bytes: picture.bytes.map { 255 - $0 })
        }
    }

    // Smooth, so that levels are not cut at black and white; four bands of rows.
    private static let photo = RGBImage(
        width: 60, height: 200,
        bytes: (0..<3 * 60 * 200).map { (index: Int) -> UInt8 in
            let (row, column) = (Double(index / 180), Double(index % 180))
            let wave: Double = sin(row / 9) * cos(column / 20)
            return UInt8(128 + 60 * wave)
        })
    private static let face = Face.drawn(centre: SIMD2(28, 110), side: 48)
    private static let edits = [Edit(prompt: "smile", strength: 1)]

    private func opened(_ source: some PhotoSource, _ body: (EditablePhoto, Networks) async throws -> Void) async throws {
        try await withBundle { bundle in
            let networks = Networks(bundle: BundleNetworks(bundle: bundle, engine: FakeEngine(bundle.manifest)))
            let photo = try await FaceEditor(networks: networks, detector: NoFaces()).photo(source)
            try await photo.choose(Self.face)
            try await body(photo, networks)
        }
    }

    private func shown(_ photo: EditablePhoto, _ edits: [Edit]) async throws -> RGBImage {
        for try await preview in try photo.edit(edits) { return preview.picture }
        throw CancellationError()
    }

    private func saved(_ photo: EditablePhoto) async throws -> [UInt8] {
        var rows = Rows()
        try await photo.save(to: &rows)
        return rows.bytes
    }

    @Test func theCompositorSeesTheCropAndBothDecodes() async throws {
        try await opened(Self.photo) { photo, networks in
            _ = try await shown(photo, Self.edits)
            let guides = try #require(await networks.compositor.shown.first)
            // The bundle's crops and decodes have 8 pixels a side, as the guides do.
            let crop = networks.pixels.tensor(try Self.photo.crop(Self.face.crop, size: 8))
            #expect(Array(guides.values[..<192]) == crop.values)
            let (before, after) = (guides.values[192..<384], guides.values[384...])
            #expect(!before.elementsEqual(after))
        }
    }

    @Test func strengthZeroIsThePhotoAndAsksNoCompositor() async throws {
        try await opened(Self.photo) { photo, networks in
            let picture = try await shown(photo, [Edit(prompt: "smile", strength: 0)])
            let file = try await saved(photo)
            #expect(picture == Self.photo)
            #expect(file == Self.photo.bytes)
            #expect(await networks.compositor.shown.isEmpty)
        }
    }

    @Test func savedPixelsAreThoseOfThePreviewAndOutsideTheFaceThoseOfThePhoto() async throws {
        try await opened(Self.photo) { photo, _ in
            // The photo is as large as its preview.
            let shown = try await shown(photo, Self.edits)
            let file = try await saved(photo)
            #expect(file == shown.bytes, "bands do not fit together")
            let changed = shown.bytes.indices.filter { shown.bytes[$0] != Self.photo.bytes[$0] }.map { $0 / 3 }
            #expect(!changed.isEmpty)
            for pixel in changed {
                let place = Self.face.crop.cropPoint(SIMD2(Double(pixel % 60) + 0.5, Double(pixel / 60) + 0.5))
                #expect((0...1).contains(place.x) && (0...1).contains(place.y))
            }
        }
    }

    @Test func aPhotoInOtherColoursIsSavedInThem() async throws {
        try await opened(Self.photo) { photo, _ in
            _ = try await shown(photo, Self.edits)
            let plain = RGBImage(width: 60, height: 200, bytes: try await saved(photo))
            try await opened(Negative(picture: Negative.reversed(Self.photo))) { photo, _ in
                _ = try await shown(photo, Self.edits)
                let negative = RGBImage(width: 60, height: 200, bytes: try await saved(photo))
                // Two levels: the painted picture goes through bytes on its way into other colours, and so does the crop.
                #expect(levels(Negative.reversed(negative), plain) <= 2)
            }
        }
    }

    @Test func aCompositorHasToFitTheOtherNetworks() throws {
        let file = Contracts.folder.appending(path: "manifest/compositor.json")
        let text = try String(contentsOf: file, encoding: .utf8)
        let fitting = try Manifest(parsing: Data(text.utf8))
        #expect(fitting.guideSide == 8)
        try fitting.checkCompositor()
        // Eight does not divide twelve.
        let changed = text.replacingOccurrences(of: #""size": 8"#, with: #""size": 12"#)
        // The digest leaves out its own digits.
        let digest = Digest.sha256(Data(changed.replacingOccurrences(of: fitting.digest, with: "").utf8))
        let other = try Manifest(parsing: Data(changed.replacingOccurrences(of: fitting.digest, with: digest).utf8))
        #expect(throws: BundleError.self) { try other.checkCompositor() }
    }

    @Test func networksWithoutACompositorSaySo() async throws {
        try await withBundle { bundle in
            let networks = BundleNetworks(bundle: bundle, engine: FakeEngine(bundle.manifest))
            #expect(networks.guideSide == nil)
            await #expect(throws: EditError.noCompositor) {
                _ = try await networks.composite(Tensor(shape: [1], values: [0]))
            }
        }
    }
}
