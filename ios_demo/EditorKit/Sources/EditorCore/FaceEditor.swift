/// Edits faces in photos: the one object that an app needs. It may be called from any thread and blocks none.
///
/// ```swift
/// let editor = FaceEditor(networks: networks, detector: detector)
/// let photo = try await editor.photo(source)
/// try await photo.choose(photo.faces[0])
/// for try await preview in try photo.edit([Edit(prompt: "smile", strength: 0.8)]) { show(preview.picture) }
/// ```
public final class FaceEditor: Sendable {
    /// How much an app wants to see.
    public struct Options: Equatable, Sendable {
        /// Pixels of a preview's longer side; best those of the view that shows it.
        public var previewSide = 1280
        /// Pixels of the longer side of the picture in which faces are looked for.
        public var detectionSide = 2048
        /// For networks without a compositor: adds the change that an edit makes to the photo's own pixels, which keeps what the networks
        /// cannot draw; without it the photo's face is replaced by the networks'.
        public var keepsDetail = true

        /// The defaults.
        public init() {}
    }

    /// How much the app wants to see.
    public let options: Options
    private let networks: any FaceNetworks
    private let detector: any FaceDetector

    /// - Parameters:
    ///   - networks: the steps of an edit; those of a bundle are `BundleNetworks`.
    ///   - detector: what finds faces.
    ///   - options: how much the app wants to see.
    public init(networks: some FaceNetworks, detector: some FaceDetector, options: Options = Options()) {
        self.networks = networks
        self.detector = detector
        self.options = options
    }

    /// What the user can choose from.
    public var prompts: [Manifest.Prompt] { networks.prompts }

    /// Opens a photo and finds its faces. A photo with exactly one face has it chosen; otherwise nothing is edited before the app
    /// calls `choose`.
    ///
    /// - Throws: the photo cannot be read, or what the detector or the engine throws.
    public func photo(_ source: some PhotoSource) async throws -> EditablePhoto {
        let large = try source.sRGB(source.fitting(longerSide: max(options.detectionSide, options.previewSide)))
        let factor = Double(source.width) / Double(large.width)
        let found = try await detector.faces(in: large).map { $0.scaled(by: factor) }
        let photo = EditablePhoto(
            source: source, preview: large.fitting(longerSide: options.previewSide), faces: faces(found, source),
            networks: networks, options: options)
        if photo.faces.count == 1 { try await photo.choose(photo.faces[0]) }
        return photo
    }

    /// The faces whose points give a crop, the largest first.
    private func faces(_ found: [Landmarks], _ source: any PhotoSource) -> [Face] {
        let crops = found.compactMap { landmarks in
            try? (
                landmarks,
                CropTransform(
                    landmarks: landmarks, width: source.width, height: source.height, rule: networks.cropRule)
            )
        }
        return crops.sorted { $0.1.side > $1.1.side }.enumerated().map { id, found in
            Face(id: id, crop: found.1, landmarks: found.0)
        }
    }
}
