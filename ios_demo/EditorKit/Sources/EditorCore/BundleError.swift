import Foundation

/// Why a bundle or an update of one is refused, in one line that names the file at fault.
public struct BundleError: Error, Equatable, CustomStringConvertible {
    /// What was wrong, for code that treats some refusals differently.
    public enum Kind: Sendable {
        /// `bundle.json` is missing, damaged, newer than this reader or against the schema.
        case manifest
        /// The signature is missing, wrong, or not by the known signer.
        case signature
        /// Files are missing, unlisted, linked, unsafely named or too large.
        case listing
        /// A file does not hold what the manifest says.
        case content
        /// An update is for another model or target.
        case update
        /// The system could not read or write a file.
        case system
    }

    /// What was wrong.
    public let kind: Kind
    /// The refusal for people.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}

extension BundleError: LocalizedError {
    /// The same as `description`.
    public var errorDescription: String? { description }
}
