/// What `bundle.json` says, after it has been checked by itself. docs/bundle.md is the contract.
public struct Manifest: Equatable, Sendable {
    /// The newest schema version that this reader knows, which may hold a compositor.
    public static let schemaVersion = 2
    /// Bundles without a compositor, whose edited faces are pasted.
    public static let pastingVersion = 1
    /// The name of a manifest inside its bundle.
    public static let fileName = "bundle.json"
    static let signatureName = "bundle.json.sig"
    static let textEditor = "text_editor"
    static let compositor = "compositor"
    /// A manifest lists a few dozen files; anything above this is an attack, not a bundle.
    static let maximumBytes = 4 << 20

    /// The digest of the manifest itself, 64 hexadecimal digits: what tells one bundle from another.
    public let digest: String
    /// Name of the model, e.g. `mobile_256`.
    public let name: String
    /// Who the networks were lowered for.
    public let target: Target
    /// What a device needs.
    public let runtime: Runtime
    /// What the numbers of an image mean.
    public let pixels: PixelSpec
    /// Where a crop lies relative to eyes and mouth.
    public let cropRule: CropRule
    /// Where the five landmarks lie in a crop, as fractions of its side.
    public let template: [SIMD2<Double>]
    /// The networks.
    public let parts: [Part]
    /// What the user can choose from.
    public let prompts: [Prompt]
    /// The self-test.
    public let golden: [GoldenCase]
    /// The checkpoint that the networks were made from.
    public let checkpointID: String
    /// Every file of the bundle but the manifest and its signature.
    public let files: [File]
    /// Base64 of the signer's public key, DER SubjectPublicKeyInfo; nil for an unsigned bundle.
    public let signer: String?

    /// The system that a bundle is for.
    public enum Target: String, Sendable {
        /// ExecuTorch programs.
        case android
        /// Core ML packages.
        case ios
        /// ONNX models.
        case onnx
    }

    /// What a device needs to run the networks.
    public struct Runtime: Equatable, Sendable {
        /// Its name, e.g. `Core ML`.
        public let name: String
        /// The version of the tool that made the files.
        public let version: String
        /// The oldest operating system, for people.
        public let minimumOS: String
    }

    /// Name and shape of a network's input or output; always float32.
    public struct TensorSpec: Equatable, Sendable {
        /// The name in the graph.
        public let name: String
        /// The static shape.
        public let shape: [Int]
    }

    /// One network.
    public struct Part: Equatable, Sendable {
        /// `encoder`, `decoder`, `text_editor`, `compositor` or `editors/ID`.
        public let part: String
        /// Its file, or for Core ML its directory, below the bundle.
        public let file: String
        /// How numbers are stored, e.g. `fp16`.
        public let precision: String
        /// Its only input.
        public let input: TensorSpec
        /// Its only output.
        public let output: TensorSpec
        /// What Core ML should be allowed to use; nil where the bundle gives no advice.
        public let computeUnits: ComputeUnits?
    }

    /// The parts of a chip that Core ML may use, named as in `MLComputeUnits`.
    public enum ComputeUnits: String, Sendable {
        /// Whatever Core ML finds best.
        case all
        /// All but the GPU, which the app may need for itself.
        case cpuAndNeuralEngine
        /// All but the Neural Engine.
        case cpuAndGPU
        /// The processor alone.
        case cpuOnly
    }

    /// One edit that the user can choose.
    public struct Prompt: Equatable, Sendable, Identifiable {
        /// Its name in code.
        public let id: String
        /// The text that it was trained for.
        public let text: String
        /// Display names by BCP 47 locale.
        public let names: [String: String]
        /// The strengths that it may be applied with, unitless.
        public let strength: StrengthRange
        /// The network that serves it.
        public let part: String
        /// That network's file.
        public let file: String
        /// The file of its text, for a prompt that shares the text-conditioned editor.
        public let vector: String?

        /// A prompt of networks that come without a bundle.
        public init(id: String, text: String, names: [String: String], strength: StrengthRange, part: String) {
            self.init(
                id: id, text: text, names: names, strength: strength, part: part, file: "", vector: nil)
        }

        init(
            id: String, text: String, names: [String: String], strength: StrengthRange, part: String, file: String,
            vector: String?
        ) {
            self.id = id
            self.text = text
            self.names = names
            self.strength = strength
            self.part = part
            self.file = file
            self.vector = vector
        }
    }

    /// One step of the self-test.
    public struct GoldenCase: Equatable, Sendable {
        /// The network.
        public let part: String
        /// What it is fed with: a PNG, or raw little-endian float32.
        public let input: String
        /// What it must answer.
        public let output: String
        /// The answer's shape.
        public let shape: [Int]
        /// The PSNR in dB that the answer must reach.
        public let floor: Double
    }

    /// One file.
    public struct File: Equatable, Sendable {
        /// POSIX path below the bundle.
        public let path: String
        /// Size.
        public let bytes: Int
        /// SHA-256 in lower-case hex.
        public let sha256: String
    }

    /// The network of this name, if the bundle has it.
    public func part(_ name: String) -> Part? { parts.first { $0.part == name } }

    /// The prompt of this id, if the bundle has it.
    public func prompt(_ id: String) -> Prompt? { prompts.first { $0.id == id } }

    /// M of the compositor's guides [1, 9, M, M]; nil for a bundle without a compositor.
    public var guideSide: Int? { part(Self.compositor)?.input.shape.last }

    /// Refuses a compositor that does not fit the other networks.
    func checkCompositor() throws(BundleError) {
        guard let compositor = part(Self.compositor), let side = guideSide else { return }
        let (taken, given) = (compositor.input.shape, compositor.output.shape)
        guard side > 1, taken == [1, Guides.planes, side, side], given == [1, Overlay.planes, side, side] else {
            throw BundleError(.manifest, "\(Self.compositor) takes \(taken) and gives \(given), which are no guides and fields")
        }
        for pictures in [pixels.size, part("decoder")?.output.shape.last ?? 0] where pictures == 0 || pictures % side != 0 {
            throw BundleError(.manifest, "\(Self.compositor) has a side of \(side), which does not divide pictures of side \(pictures)")
        }
    }

    /// Rows and columns [R, D] of a prompt's text: what the text-conditioned editor takes more than it gives.
    ///
    /// - Throws: the network leaves no rows for a text.
    func textShape() throws(BundleError) -> [Int] {
        guard let editor = part(Self.textEditor) else {
            throw BundleError(.manifest, "bundle has no part '\(Self.textEditor)'")
        }
        let (taken, given) = (editor.input.shape, editor.output.shape)
        guard taken.count == 3, given.count == 3, taken[1] > given[1], taken[2] == given[2] else {
            throw BundleError(
                .manifest, "\(Self.textEditor) takes \(taken) and gives \(given), which leaves no rows for a text")
        }
        return [taken[1] - given[1], taken[2]]
    }
}
