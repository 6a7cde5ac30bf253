import CoreTransferable
import EditorCore
import EditorCoreML
import Foundation
import ImageIO
import UniformTypeIdentifiers

/// An edit in the photo's full size. The face is pasted when the picture is saved or shared, not with every move of the slider.
struct EditedPhoto: Sendable {
    let photo: RGBImage
    let face: RGBImage
    let transform: CropTransform

    /// The picture as a file for the photo library and other apps.
    func heic() throws -> Data {
        let image = try photo.pasting(face, at: transform).cgImage()
        let data = NSMutableData()
        let type = UTType.heic.identifier as CFString
        guard let destination = CGImageDestinationCreateWithData(data, type, 1, nil) else {
            throw CocoaError(.fileWriteUnknown)
        }
        CGImageDestinationAddImage(destination, image, nil)
        guard CGImageDestinationFinalize(destination) else { throw CocoaError(.fileWriteUnknown) }
        return data as Data
    }
}

extension EditedPhoto: Transferable {
    static var transferRepresentation: some TransferRepresentation {
        DataRepresentation(exportedContentType: .heic) { try $0.heic() }
    }
}
