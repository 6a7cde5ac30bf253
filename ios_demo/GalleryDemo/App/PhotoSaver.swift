import Foundation
import Photos

/// Adds pictures to the photo library. The app asks to add only: it never sees what is in the library.
enum PhotoSaver {
    /// The user has not allowed it.
    struct NotAllowed: LocalizedError {
        var errorDescription: String? {
            String(localized: "Allow this app to add photos in Settings to save pictures.")
        }
    }

    /// Saves a new picture.
    static func add(_ picture: EditedPhoto) async throws {
        guard await PHPhotoLibrary.requestAuthorization(for: .addOnly) == .authorized else { throw NotAllowed() }
        let data = try picture.heic()
        try await PHPhotoLibrary.shared().performChanges {
            PHAssetCreationRequest.forAsset().addResource(with: .photo, data: data, options: nil)
        }
    }
}
