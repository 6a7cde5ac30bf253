import EditorKit
import Foundation

/// What went wrong, in the user's language and with a way on.
enum Words {
    static func of(_ error: any Error) -> String {
        switch error {
        case let error as BundleError: bundle(error)
        case let error as EditError: edit(error)
        case is AlignmentError: String(localized: "No crop of the photo follows from this face. Draw a square around it.")
        case ImageError.undecodable: String(localized: "This picture cannot be read. Choose another one.")
        case ImageError.noBitmap: String(localized: "There is not enough memory for this picture. Close other apps and try again.")
        case ImageError.unwritable: String(localized: "This picture cannot be written. Free some storage and try again.")
        case CoreMLEngineError.selfTestFailed(let part):
            String(localized: "The model does not work as it should on this device: \(part). Install an update of it.")
        default: error.localizedDescription
        }
    }

    /// What a saved picture could not keep; nil for nothing.
    static func of(_ losses: [SavedPhoto.Loss]) -> String? {
        guard !losses.isEmpty else { return nil }
        let names = losses.map { loss in
            switch loss {
            case .format: String(localized: "its file format")
            case .colours: String(localized: "colours outside of sRGB")
            case .depth: String(localized: "more than 8 bits a colour")
            case .gainMap: String(localized: "the brightness of HDR")
            }
        }
        let list = names.formatted(.list(type: .and))
        return String(localized: "The saved picture does not keep: \(list).")
    }

    private static func bundle(_ error: BundleError) -> String {
        switch error.kind {
        case .signature: String(localized: "The model is not signed by whom it should be. \(error.description)")
        case .update: String(localized: "The update does not fit the installed model. \(error.description)")
        case .system: String(localized: "The model cannot be read or written. Free some storage and try again.")
        case .manifest, .listing, .content: String(localized: "The model is damaged or too new. \(error.description)")
        }
    }

    private static func edit(_ error: EditError) -> String {
        switch error {
        case .noFace, .noPhoto: String(localized: "Choose a face first, or draw a square around it.")
        case .notFinite: String(localized: "The model gave no picture. Choose another photo or another strength.")
        case .overtaken, .unknownPrompt, .strengthOutOfRange, .noCompositor: error.description
        }
    }
}
