import Foundation
import Testing

@testable import EditorCore

@Suite("One object for an app: faces, previews in order, history, save", .timeLimit(.minutes(5)))
struct FaceEditorTests {
    private static let photo = picture(48, 40)

    private static func picture(_ width: Int, _ height: Int) -> RGBImage {
        let bytes = (0..<3 * width * height).map { (index: Int) in UInt8(truncatingIfNeeded: (index &* 37) >> 2) }
        return RGBImage(width: width, height: height, bytes: bytes)
    }

    /// Finds what it was told.
    private struct Detector: FaceDetector {
        var found: [Landmarks] = []

        func faces(in picture: RGBImage) async throws -> [Landmarks] { found }
    }

    private struct Rows: PhotoSink {
        var bytes: [UInt8] = []

        mutating func write(_ rows: RGBImage) throws { bytes += rows.bytes }
    }

    /// Eyes `size` apart.
    private static func landmarks(x: Double, y: Double, size: Double) -> Landmarks {
        Landmarks(
            leftEye: SIMD2(x - size / 2, y), rightEye: SIMD2(x + size / 2, y), nose: SIMD2(x, y + size / 2),
            leftMouth: SIMD2(x - size / 3, y + size), rightMouth: SIMD2(x + size / 3, y + size))
    }

    private static let one = landmarks(x: 24, y: 16, size: 6)
    private static let half = Edit(prompt: "smile", strength: 0.5)
    private static let full = Edit(prompt: "smile", strength: 1)

    private func withEditor(
        _ found: [Landmarks], _ body: (FaceEditor, FakeEngine) async throws -> Void
    ) async throws {
        try await withBundle { bundle in
            let engine = FakeEngine(bundle.manifest)
            let networks = BundleNetworks(bundle: bundle, engine: engine)
            try await body(FaceEditor(networks: networks, detector: Detector(found: found)), engine)
        }
    }

    @Test func theOnlyFaceIsChosen() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            #expect(photo.chosen == photo.faces[0])
            // The reference rule puts the crop's centre between the eyes.
            #expect((photo.faces[0].centre - SIMD2(24, 16)).length < 6)
        }
    }

    @Test func ofSeveralFacesNoneIsChosenAndTheLargestIsFirst() async throws {
        let found = [Self.landmarks(x: 12, y: 12, size: 4), Self.landmarks(x: 32, y: 20, size: 6)]
        try await withEditor(found) { editor, engine in
            let photo = try await editor.photo(Self.photo)
            #expect(photo.faces.map(\.landmarks) == [found[1], found[0]])
            #expect(photo.chosen == nil)
            #expect(throws: EditError.noFace) { try photo.edit([Self.half]) }
            #expect(await engine.calls.isEmpty)
            try await photo.choose(photo.faces[1])
            #expect(photo.chosen?.landmarks == found[0])
            try photo.edit([Self.half])
        }
    }

    @Test func withoutAFaceNothingIsPaintedUnlessASquareIsDrawn() async throws {
        try await withEditor([]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            #expect(photo.faces.isEmpty)
            #expect(throws: EditError.noFace) { try photo.edit([Self.full]) }
            var rows = Rows()
            try await photo.save(to: &rows)
            #expect(rows.bytes == Self.photo.bytes)
            await #expect(throws: AlignmentError.offPhoto) {
                try await photo.choose(.drawn(centre: SIMD2(500, 500), side: 20))
            }
            try await photo.choose(.drawn(centre: SIMD2(20, 20), side: 16))
            let preview = try await first(photo.edit([Self.full]))
            #expect(preview.picture != photo.original)
        }
    }

    @Test func strengthZeroIsThePhotoAndRunsNoNetwork() async throws {
        try await withEditor([Self.one]) { editor, engine in
            let photo = try await editor.photo(Self.photo)
            let before = await engine.calls
            let preview = try await first(photo.edit([Edit(prompt: "smile", strength: 0)]))
            #expect(preview.picture == photo.original)
            #expect(await engine.calls == before)
        }
    }

    @Test func severalPromptsAddUp() async throws {
        try await withEditor([Self.one]) { editor, engine in
            let photo = try await editor.photo(Self.photo)
            let one = try await first(photo.edit([Self.full]))
            let both = try await first(photo.edit([Self.full, Edit(prompt: "sketch", strength: 1)]))
            #expect(one.picture != both.picture)
            #expect(await engine.calls.filter { $0 == "editors/smile" || $0 == "text_editor" }.count == 2)
        }
    }

    @Test func picturesComeInOrderAndTheLastOneAlways() async throws {
        try await withEditor([Self.one]) { editor, engine in
            let photo = try await editor.photo(Self.photo)
            let shown = Task {
                var strengths: [Double] = []
                for try await preview in photo.previews {
                    strengths.append(preview.edits.first?.strength ?? 0)
                    if strengths.last == 1 { break }
                }
                return strengths
            }
            for step in 1...100 {
                try photo.edit([Edit(prompt: "smile", strength: Double(step) / 100)], moving: true)
                await Task.yield()
            }
            let strengths = try await shown.value
            #expect(strengths == strengths.sorted())
            #expect(strengths.last == 1)
            // Only what was shown was decoded, and the reconstruction.
            #expect(await engine.calls.filter { $0 == "decoder" }.count <= strengths.count + 1)
        }
    }

    @Test func whatIsAskedForWhileAPictureIsMadeComesNextAndTheRestNever() async throws {
        try await withEditor([Self.one]) { editor, engine in
            let photo = try await editor.photo(Self.photo)
            await engine.hold("decoder")
            var loop = try photo.edit([Edit(prompt: "smile", strength: 0.1)]).makeAsyncIterator()
            let releasing = Task {
                await engine.called("decoder", times: 2)
                for strength in [0.2, 0.3, 0.4] { try photo.edit([Edit(prompt: "smile", strength: strength)]) }
                await engine.release("decoder")
            }
            #expect(try await loop.next()?.edits.first?.strength == 0.1)
            try await releasing.value
            #expect(try await loop.next()?.edits.first?.strength == 0.4)
        }
    }

    @Test func saveTakesTheLastEditShownOrNot() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            _ = try await first(photo.edit([Self.half]))
            try photo.edit([Self.full])
            var saved = Rows()
            try await photo.save(to: &saved)
            // The photo is as large as its preview.
            let shown = try await first(photo.previews)
            #expect(shown.edits == [Self.full])
            #expect(saved.bytes == shown.picture.bytes)
            #expect(saved.bytes != Self.photo.bytes)
        }
    }

    @Test func outsideTheFaceTheSavedPixelsAreThoseOfThePhoto() async throws {
        // Three bands.
        let tall = Self.picture(40, 150)
        try await withEditor([Self.landmarks(x: 20, y: 60, size: 6)]) { editor, _ in
            let photo = try await editor.photo(tall)
            let face = try #require(photo.chosen)
            try photo.edit([Self.full])
            var saved = Rows()
            try await photo.save(to: &saved)
            let shown = try await first(photo.previews).picture
            #expect(saved.bytes == shown.bytes, "bands do not fit together")
            let changed = tall.bytes.indices.filter { saved.bytes[$0] != tall.bytes[$0] }.map { $0 / 3 }
            #expect(!changed.isEmpty)
            for pixel in changed {
                let place = face.crop.cropPoint(SIMD2(Double(pixel % 40) + 0.5, Double(pixel / 40) + 0.5))
                #expect((0...1).contains(place.x) && (0...1).contains(place.y))
            }
        }
    }

    @Test func bandsGiveTheCropOfTheWholePhoto() throws {
        // Three bands, and a crop that leaves the photo.
        let tall = Self.picture(40, 150)
        let transform = CropTransform(origin: SIMD2(-6, 40), axis: SIMD2(38, 12))
        func banded(_ source: some PhotoSource) throws -> RGBImage { try source.crop(transform, size: 16) }
        #expect(try banded(tall) == tall.crop(transform, size: 16))
    }

    @Test func undoRedoAndReset() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            try photo.edit([Self.half])
            try photo.edit([Self.full])
            #expect(photo.undo())
            #expect(try await first(photo.previews).edits == [Self.half])
            #expect(photo.redo() && !photo.redo())
            photo.reset()
            #expect(try await first(photo.previews).picture == photo.original)
            #expect(photo.undo())
            #expect(photo.history.current == [Self.full])
        }
    }

    @Test func cancellingEndsTheLoopsAndTheSave() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            let loop = Task {
                for try await _ in photo.previews {}
                return true
            }
            photo.cancel()
            #expect(try await loop.value)
            try photo.edit([Self.full])
            await #expect(throws: CancellationError.self) {
                var rows = Rows()
                try await photo.save(to: &rows)
            }
        }
    }

    @Test func aLoopEndsWithItsTask() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            let loop = Task { for try await _ in photo.previews {} }
            await Task.yield()
            loop.cancel()
            try await loop.value
        }
    }

    @Test func refusals() async throws {
        try await withEditor([Self.one]) { editor, _ in
            let photo = try await editor.photo(Self.photo)
            #expect(throws: EditError.unknownPrompt("smlie")) { try photo.edit([Edit(prompt: "smlie", strength: 1)]) }
            let tooMuch = Edit(prompt: "smile", strength: 1.6)
            #expect(throws: EditError.strengthOutOfRange(tooMuch)) { try photo.edit([tooMuch]) }
        }
    }

    private func first(_ previews: Previews) async throws -> Preview {
        for try await preview in previews { return preview }
        throw CancellationError()
    }
}
