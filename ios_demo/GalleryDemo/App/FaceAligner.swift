import EditorCore

/// Finds the five points that a crop follows from. Another detector is another type of this protocol.
protocol FaceAligner: Sendable {
    /// The points of the largest face, in pixels from the top left corner; nil for a picture without a face.
    func landmarks(in photo: RGBImage) async throws -> Landmarks?
}
