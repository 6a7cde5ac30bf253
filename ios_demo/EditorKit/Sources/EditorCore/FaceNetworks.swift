/// The steps of an edit: a face becomes w_plus, a prompt finds the direction delta_w there, and w_plus becomes a face again. Where there
/// is a compositor, it says how that edit is drawn on the photo itself.
public protocol FaceNetworks: Sendable {
    /// What the user can choose from.
    var prompts: [Manifest.Prompt] { get }
    /// What the numbers of an image mean, and the side of the face that `encode` takes.
    var pixels: PixelSpec { get }
    /// Where a crop lies relative to eyes and mouth.
    var cropRule: CropRule { get }
    /// M, the side of the compositor's grid, which divides the sides of crop and decode; nil without a compositor, whose edited faces are
    /// pasted.
    var guideSide: Int? { get }

    /// - Parameter face: a square of the side that the bundle's pixels name.
    /// - Returns: w_plus [1, L, D].
    func encode(_ face: RGBImage) async throws -> Tensor

    /// - Parameters:
    ///   - prompt: the id of one of the bundle's prompts.
    ///   - wPlus: [1, L, D] of the face.
    /// - Returns: delta_w [1, L, D].
    func delta(of prompt: String, at wPlus: Tensor) async throws -> Tensor

    /// - Parameter wPlus: [1, L, D].
    /// - Returns: the face, a square of side R.
    func decode(_ wPlus: Tensor) async throws -> RGBImage

    /// - Parameter guides: [1, 9, M, M], those that `Guides` makes.
    /// - Returns: fields [1, 8, M, M], those that `Overlay` takes.
    func composite(_ guides: Tensor) async throws -> Tensor
}

extension FaceNetworks {
    /// There is no compositor.
    public var guideSide: Int? { nil }

    /// There is no compositor.
    public func composite(_ guides: Tensor) async throws -> Tensor { throw EditError.noCompositor }
}

/// The networks of a bundle, run by an engine.
public struct BundleNetworks: FaceNetworks {
    private let bundle: EditorBundle
    private let engine: any EditorEngine

    /// - Parameters:
    ///   - bundle: what the networks are.
    ///   - engine: what runs them.
    public init(bundle: EditorBundle, engine: some EditorEngine) {
        self.bundle = bundle
        self.engine = engine
    }

    /// Those of the bundle.
    public var prompts: [Manifest.Prompt] { bundle.manifest.prompts }
    /// That of the bundle.
    public var pixels: PixelSpec { bundle.manifest.pixels }
    /// That of the bundle.
    public var cropRule: CropRule { bundle.manifest.cropRule }
    /// That of the bundle.
    public var guideSide: Int? { bundle.manifest.guideSide }

    /// The latent of a face.
    public func encode(_ face: RGBImage) async throws -> Tensor {
        try await output(of: "encoder", for: pixels.tensor(face))
    }

    /// The direction of a prompt. A prompt that is a vector takes the shared editor.
    public func delta(of prompt: String, at wPlus: Tensor) async throws -> Tensor {
        guard let entry = bundle.manifest.prompt(prompt) else { throw EditError.unknownPrompt(prompt) }
        return try await output(of: entry.part, for: bundle.texts[prompt].map(wPlus.withText) ?? wPlus)
    }

    /// The face of a latent.
    public func decode(_ wPlus: Tensor) async throws -> RGBImage {
        pixels.image(try await output(of: "decoder", for: wPlus))
    }

    /// How an edit is drawn on the photo.
    public func composite(_ guides: Tensor) async throws -> Tensor {
        guard guideSide != nil else { throw EditError.noCompositor }
        return try await output(of: Manifest.compositor, for: guides)
    }

    private func output(of part: String, for input: Tensor) async throws -> Tensor {
        let output = try await engine.run(part, on: input)
        // Half precision overflows to infinity, which would come out as a black picture.
        guard output.isFinite else { throw EditError.notFinite(part) }
        return output
    }
}

extension FaceNetworks {
    /// - Throws: an edit that there is no prompt for, or a strength outside of its prompt's range.
    func check(_ edits: [Edit]) throws(EditError) {
        for edit in edits {
            guard let prompt = prompts.first(where: { $0.id == edit.prompt }) else { throw .unknownPrompt(edit.prompt) }
            guard prompt.strength.contains(edit.strength) else { throw .strengthOutOfRange(edit) }
        }
    }
}
