import EditorKit
import Foundation

/// What was done to a photo: the photo library keeps it beside the changed photo, and the app beside the photo that is open.
struct EditRecipe: Codable {
    /// The name that the photo library knows this app's changes by.
    static let format = "org.textedit.GalleryDemo.edit"
    static let version = "1"

    /// One prompt with its strength.
    struct Step: Codable {
        let prompt: String
        let strength: Double
    }

    let origin: SIMD2<Double>
    let axis: SIMD2<Double>
    let steps: [Step]

    /// Nil for a photo whose face was not chosen.
    init?(_ photo: EditablePhoto) {
        guard let crop = photo.chosen?.crop else { return nil }
        origin = crop.origin
        axis = crop.axis
        steps = photo.history.current.map { Step(prompt: $0.prompt, strength: $0.strength) }
    }

    var face: Face { Face(id: -1, crop: CropTransform(origin: origin, axis: axis), landmarks: nil) }
    var edits: [Edit] { steps.map { Edit(prompt: $0.prompt, strength: $0.strength) } }
}
