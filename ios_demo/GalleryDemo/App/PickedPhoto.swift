import CoreTransferable
import Foundation
import PhotosUI
import SwiftUI

/// A photo that the user picked, copied to where the editor can read it as often as it needs: large originals are never held in memory.
struct PickedPhoto: Transferable {
    let url: URL

    static var transferRepresentation: some TransferRepresentation {
        FileRepresentation(importedContentType: .image) { received in
            let place = FileManager.default.temporaryDirectory
                .appending(path: UUID().uuidString)
                .appendingPathExtension(received.file.pathExtension)
            try FileManager.default.copyItem(at: received.file, to: place)
            return PickedPhoto(url: place)
        }
    }
}
