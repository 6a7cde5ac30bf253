import CoreGraphics
import EditorCore
import EditorCoreML
import Foundation
import Observation
import PhotosUI
import SwiftUI

/// One photo under edit, as the screen shows it.
@MainActor
@Observable
final class EditorModel {
    /// A photo whose face has been cut out. The screen gets a preview; the photo itself is for saving and sharing.
    private struct Opened: Sendable {
        let id = UUID()
        let photo: RGBImage
        let transform: CropTransform
        let preview: RGBImage
        let previewTransform: CropTransform
        let crop: RGBImage
    }

    // Pixels of the preview's longer side: sharp on a phone, and pasted within a frame or two.
    private nonisolated static let previewSide = 1280

    let prompts: [Manifest.Prompt]
    /// False when the middle of a picture without a face is edited.
    private(set) var faceWasFound = true
    private(set) var isOpening = false
    /// What went wrong, in words for the user.
    var problem: String?
    /// The edit in full size, once there is one.
    private(set) var edited: EditedPhoto?
    var selection: PhotosPickerItem? { didSet { pick() } }
    var promptID: String { didSet { strength = prompt?.strength.standard ?? strength } }
    var strength: Double { didSet { Task { await render() } } }
    var isComparing = false

    private var opened: Opened?
    private var before: CGImage?
    private var after: CGImage?
    @ObservationIgnored private let session: EditSession
    @ObservationIgnored private let bundle: EditorBundle
    @ObservationIgnored private let aligner: any FaceAligner
    @ObservationIgnored private var opening: Task<Void, Never>?

    init(editor: EditorServices.Editor, aligner: any FaceAligner = VisionFaceAligner()) {
        bundle = editor.bundle
        session = EditSession(bundle: editor.bundle, engine: editor.engine)
        self.aligner = aligner
        prompts = editor.bundle.manifest.prompts
        promptID = prompts.first?.id ?? ""
        strength = prompts.first?.strength.standard ?? 1
    }

    /// The prompt that is chosen.
    var prompt: Manifest.Prompt? { bundle.manifest.prompt(promptID) }
    /// What is on screen: the edit, or while comparing the photo as it was.
    var shown: CGImage? { isComparing ? before : after ?? before }

    /// Adds the edited photo to the library; false if that failed.
    func save() async -> Bool {
        guard let edited else { return false }
        do {
            try await PhotoSaver.add(edited)
            return true
        } catch {
            problem = error.localizedDescription
            return false
        }
    }

    private func pick() {
        guard let selection else { return }
        opening?.cancel()
        opening = Task {
            isOpening = true
            await report { try await open(selection) }
            if !Task.isCancelled { isOpening = false }
        }
    }

    private func open(_ item: PhotosPickerItem) async throws {
        guard let data = try await item.loadTransferable(type: Data.self) else { throw ImageError.undecodable }
        let photo = try await PhotoDecoder.decode(data)
        let landmarks = try await aligner.landmarks(in: photo)
        let opened = try await Self.cut(photo, landmarks, bundle.manifest)
        try Task.checkCancellation()
        (self.opened, edited, after, faceWasFound) = (opened, nil, nil, landmarks != nil)
        before = try opened.preview.cgImage()
        try await session.open(opened.crop)
        await render()
    }

    private func render() async {
        guard let opened, prompt != nil else { return }
        await report {
            let face = try await session.render([Edit(prompt: promptID, strength: strength)])
            let pasted = await Self.paste(face, opened)
            // Another photo may have been opened while this one was pasted.
            guard opened.id == self.opened?.id else { return }
            after = try pasted.cgImage()
            edited = EditedPhoto(photo: opened.photo, face: face, transform: opened.transform)
        }
    }

    /// Tells the user what went wrong, unless the work was only given up for newer work.
    private func report(_ work: () async throws -> Void) async {
        do {
            try await work()
        } catch is CancellationError {
            return
        } catch EditError.overtaken {
            return
        } catch {
            problem = error.localizedDescription
        }
    }

    /// Cuts the face out, off the main actor.
    private nonisolated static func cut(
        _ photo: RGBImage, _ landmarks: Landmarks?, _ manifest: Manifest
    ) async throws -> Opened {
        let transform =
            try landmarks.map {
                try CropTransform(
                    landmarks: $0, width: photo.width, height: photo.height, rule: manifest.cropRule)
            } ?? CropTransform(centralSquareOf: photo.width, photo.height)
        let preview = photo.fitting(longerSide: previewSide)
        return Opened(
            photo: photo, transform: transform, preview: preview,
            previewTransform: transform.scaled(by: Double(preview.width) / Double(photo.width)),
            crop: photo.crop(transform, size: manifest.pixels.size))
    }

    /// Puts the face back into the preview, off the main actor.
    private nonisolated static func paste(_ face: RGBImage, _ opened: Opened) async -> RGBImage {
        opened.preview.pasting(face, at: opened.previewTransform)
    }
}
