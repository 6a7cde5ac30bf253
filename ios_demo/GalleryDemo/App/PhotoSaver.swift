import EditorKit
import Foundation
import Photos

/// Puts edited photos into the library. A copy needs the permission to add only; to change a photo in place, which the user can undo in
/// the Photos app at any time, the app has to be allowed to see it.
enum PhotoSaver {
    /// The user has not allowed it.
    struct NotAllowed: LocalizedError {
        var errorDescription: String? {
            String(localized: "Allow this app to add photos in Settings to save pictures.")
        }
    }

    /// Saves a picture in full size.
    ///
    /// - Parameters:
    ///   - photo: with its last edit.
    ///   - assetID: the photo of the library to change; nil adds a copy.
    /// - Returns: what could not be kept.
    static func save(_ photo: EditablePhoto, replacing assetID: String?) async throws -> [SavedPhoto.Loss] {
        let access: PHAccessLevel = assetID == nil ? .addOnly : .readWrite
        let status = await PHPhotoLibrary.requestAuthorization(for: access)
        guard status == .authorized || status == .limited else { throw NotAllowed() }
        if let assetID { return try await replace(assetID, by: photo) }
        let saved = try await photo.save()
        defer { try? FileManager.default.removeItem(at: saved.url) }
        let url = saved.url
        // Date and place are in the file, and the library takes them from there.
        try await PHPhotoLibrary.shared().performChanges {
            PHAssetCreationRequest.forAsset().addResource(with: .photo, fileURL: url, options: nil)
        }
        return saved.notKept
    }

    private static func replace(_ assetID: String, by photo: EditablePhoto) async throws -> [SavedPhoto.Loss] {
        guard let asset = PHAsset.fetchAssets(withLocalIdentifiers: [assetID], options: nil).firstObject,
            let input = await editingInput(of: asset)
        else { throw NotAllowed() }
        let change = Change(asset: asset, output: PHContentEditingOutput(contentEditingInput: input))
        // The library asks for a JPEG there unless told otherwise.
        let saved = try await photo.save(as: .jpeg)
        defer { try? FileManager.default.removeItem(at: saved.url) }
        try FileManager.default.copyItem(at: saved.url, to: change.output.renderedContentURL)
        if let recipe = EditRecipe(photo) {
            change.output.adjustmentData = PHAdjustmentData(
                formatIdentifier: EditRecipe.format, formatVersion: EditRecipe.version,
                data: try JSONEncoder().encode(recipe))
        }
        try await PHPhotoLibrary.shared().performChanges {
            PHAssetChangeRequest(for: change.asset).contentEditingOutput = change.output
        }
        return saved.notKept
    }

    /// What the library is told to do; nobody else has it.
    private struct Change: @unchecked Sendable {
        let asset: PHAsset
        let output: PHContentEditingOutput
    }

    /// What the library answers; nobody else has it.
    private struct Answer: @unchecked Sendable {
        let input: PHContentEditingInput?
    }

    private static func editingInput(of asset: PHAsset) async -> PHContentEditingInput? {
        let answer = await withCheckedContinuation { (continuation: CheckedContinuation<Answer, Never>) in
            asset.requestContentEditingInput(with: nil) { input, _ in continuation.resume(returning: Answer(input: input)) }
        }
        return answer.input
    }
}
