import EditorCore
import Foundation

/// A finger that drags the slider for two seconds, through the editor's own classes: what the user would see. The networks are played by a
/// pause, the pictures are really made.
struct DragSimulation {
    /// What came of it.
    struct Outcome: Encodable {
        let id = "drag"
        let moves: Int
        let decodeMs: Int
        let crop: Int
        let shown: Int
        let seconds: Double
        let picturesPerSecond: Double
        let inOrder: Bool
        let lastIsLast: Bool
        /// From the last move to the picture that shows it.
        let msAfterLastMove: Double
    }

    private static let movesPerSecond = 60
    private static let seconds = 2
    private static let decodeMs = 10

    let side: Int

    /// Drags once.
    func run() async throws -> Outcome {
        let picture = PasteTimings.noise(PasteTimings.picture.width, PasteTimings.picture.height, seed: 1)
        let editor = FaceEditor(networks: PausingNetworks(decodeMs: Self.decodeMs), detector: NoFaces())
        let photo = try await editor.photo(picture)
        let middle = SIMD2(Double(picture.width), Double(picture.height)) / 2
        try await photo.choose(.drawn(centre: middle, side: Double(side)))
        let last = Double(Self.movesPerSecond * Self.seconds)
        let watching = Task { try await Self.watch(photo, until: 1) }
        let clock = ContinuousClock()
        let began = clock.now
        for move in 1...Self.movesPerSecond * Self.seconds {
            try await clock.sleep(until: began + .seconds(Double(move) / Double(Self.movesPerSecond)))
            try photo.edit([Edit(prompt: PausingNetworks.prompt, strength: Double(move) / last)], moving: true)
        }
        let released = clock.now
        let shown = try await watching.value
        let end = clock.now
        photo.cancel()
        let seconds = (end - began) / .seconds(1)
        return Outcome(
            moves: Int(last), decodeMs: Self.decodeMs, crop: side, shown: shown.count, seconds: seconds,
            picturesPerSecond: Double(shown.count) / seconds, inOrder: shown == shown.sorted(),
            lastIsLast: shown.last == 1, msAfterLastMove: (end - released) / .milliseconds(1))
    }

    /// The strengths in the order of their pictures.
    private static func watch(_ photo: EditablePhoto, until last: Double) async throws -> [Double] {
        var shown: [Double] = []
        for try await preview in photo.previews {
            guard let strength = preview.edits.first?.strength else { continue }
            shown.append(strength)
            if strength == last { break }
        }
        return shown
    }
}

/// The user draws the square.
struct NoFaces: FaceDetector {
    func faces(in picture: RGBImage) async throws -> [Landmarks] { [] }
}

/// Networks that answer after a pause, with a face of noise that depends on the strength.
struct PausingNetworks: FaceNetworks {
    static let prompt = "smile"
    static let side = 256

    let decodeMs: Int
    let pixels = PixelSpec(size: side, minimum: 0, maximum: 1)
    let cropRule = CropRule(eyeFactor: 2, mouthFactor: 1.8, margin: 1, drop: 0)
    let prompts = [
        Manifest.Prompt(
            id: prompt, text: "a smile", names: [:],
            strength: StrengthRange(standard: 1, minimum: 0, maximum: 1), part: "editors/smile")
    ]
    private let face = PasteTimings.noise(side, side, seed: 2)

    func encode(_ face: RGBImage) async throws -> Tensor { Tensor(shape: [1, 1, 1], values: [0]) }

    func delta(of prompt: String, at wPlus: Tensor) async throws -> Tensor {
        Tensor(shape: [1, 1, 1], values: [1])
    }

    func decode(_ wPlus: Tensor) async throws -> RGBImage {
        try await Task.sleep(for: .milliseconds(decodeMs))
        let shift = UInt8(truncatingIfNeeded: Int(255 * wPlus.values[0]))
        return RGBImage(width: Self.side, height: Self.side, bytes: face.bytes.map { $0 &+ shift })
    }
}
