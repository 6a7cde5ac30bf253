import Foundation

/// Runs the networks of one bundle.
public protocol EditorEngine: Sendable {
    /// Runs a network once.
    ///
    /// - Parameters:
    ///   - part: the network's name in the manifest.
    ///   - input: of the shape that the manifest gives.
    /// - Returns: the output, of the shape that the manifest gives.
    func run(_ part: String, on input: Tensor) async throws -> Tensor
}

/// Why an edit gives no picture.
public enum EditError: Error, Equatable, CustomStringConvertible {
    /// No photo was opened before.
    case noPhoto
    /// The photo has several faces or none, and none was chosen.
    case noFace
    /// A later request has taken this one's place; there is nothing to tell the user.
    case overtaken
    /// The bundle has no such prompt.
    case unknownPrompt(String)
    /// The strength is outside the prompt's range.
    case strengthOutOfRange(Edit)
    /// The bundle has no compositor.
    case noCompositor
    /// A network answered with infinite values or none.
    case notFinite(String)

    /// The reason for people.
    public var description: String {
        switch self {
        case .noPhoto: "open a photo first"
        case .noFace: "choose a face first, or draw a square around it"
        case .overtaken: "a later edit took this one's place"
        case .unknownPrompt(let id): "the bundle has no prompt '\(id)'"
        case .strengthOutOfRange(let edit): "strength \(edit.strength) is outside the range of prompt '\(edit.prompt)'"
        case .noCompositor: "the bundle has no part 'compositor'; edited faces are pasted"
        case .notFinite(let part): "\(part) gives values that are not finite"
        }
    }
}

extension EditError: LocalizedError {
    /// The same as `description`.
    public var errorDescription: String? { description }
}
