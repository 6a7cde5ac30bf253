import EditorCore

/// How long an edit takes that is drawn on the photo, beside the same place pasted: in a preview, and in a photo of 12 megapixels. All of
/// the crop but its rim moves and is painted, which no edit does: it is the most that drawing can cost.
struct DrawTimings {
    private static let guide = 128
    private static let faceSide = 256
    private static let sides = (preview: 1100, photo: 2400)
    private static let photo = (width: 4000, height: 3000)

    let rounds: Int
    let threads: Int?

    /// Both forms in turn, round after round.
    func run() -> [Measurement] {
        measured("draw_\(Self.sides.preview)", PasteTimings.picture, Self.sides.preview, keepsPaster: true)
            + measured("draw_12mp", Self.photo, Self.sides.photo, keepsPaster: false)
    }

    /// - Parameter keepsPaster: what pasting computes once for a picture is computed before; a save pastes once.
    private func measured(
        _ id: String, _ size: (width: Int, height: Int), _ side: Int, keepsPaster: Bool
    ) -> [Measurement] {
        let picture = PasteTimings.noise(size.width, size.height, seed: 1)
        let (face, unedited) = (
            PasteTimings.noise(Self.faceSide, Self.faceSide, seed: 2), PasteTimings.noise(Self.faceSide, Self.faceSide, seed: 3)
        )
        let crop = PasteTimings.turned(side, in: size)
        let paster = {
            FacePaster(
                crop: crop, width: size.width, rows: 0..<size.height, faceSide: Self.faceSide, reconstruction: unedited,
                threads: threads)
        }
        let kept = keepsPaster ? paster() : nil
        let (fields, low) = (Self.fields(), unedited.lowered(to: Self.guide))
        let pixels = PixelSpec(size: Self.faceSide, minimum: -1, maximum: 1)
        var (pasted, drawn) = ([Double](), [Double]())
        for round in 0..<rounds + 1 {
            var shown = picture
            let pasteTime = milliseconds(threads: threads) { (kept ?? paster()).paste(face, into: &shown, threads: threads) }
            let drawTime = milliseconds(threads: threads) {
                let overlay = Overlay(fields: fields, after: face, pixels: pixels, low: low)
                shown = picture.drawing(overlay, at: crop, threads: threads)
            }
            // The first round warms up.
            guard round > 0 else { continue }
            pasted.append(pasteTime)
            drawn.append(drawTime)
        }
        return [("pasted", pasted), ("drawn", drawn)].map { form, samples in
            Measurement(id: id, crop: side, form: form, unit: "ms", samples: samples)
        }
    }

    /// Motion and paint everywhere but in the rim, in which a compositor changes nothing.
    private static func fields() -> Tensor {
        let rim = guide / 20
        let inside = rim..<guide - rim
        let planes: [Float] = [0.3, -0.2, 0.8, 1, 0.7, 0.1, 0.1, -0.1]
        let values = planes.enumerated().flatMap { number, value in
            (0..<guide * guide).map { cell in
                number > 2 || inside.contains(cell % guide) && inside.contains(cell / guide) ? value : 0
            }
        }
        return Tensor(shape: [1, planes.count, guide, guide], values: values)
    }
}
