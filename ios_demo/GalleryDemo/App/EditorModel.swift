import CoreGraphics
import EditorKit
import Foundation
import Observation
import PhotosUI
import SwiftUI

/// One photo under edit, as the screen shows it. The work is the editor's; this keeps what is on screen.
@MainActor
@Observable
final class EditorModel {
    let prompts: [Manifest.Prompt]
    /// The photo, once it is open.
    private(set) var photo: EditablePhoto?
    /// The face that is edited; nil while the user has to choose.
    private(set) var face: Face?
    /// What to wait for.
    private(set) var work: Work?
    /// What went wrong, in words for the user.
    var problem: String?
    /// What the last saved picture could not keep, in words for the user.
    var notice: String?
    var selection: PhotosPickerItem? { didSet { pick() } }
    /// The prompt that the slider is for.
    private(set) var promptID: String?
    /// What applies, by prompt.
    private(set) var strengths: [String: Double] = [:]
    private(set) var history = EditHistory()
    var isComparing = false

    /// What keeps the user waiting.
    enum Work {
        case opening
        case encoding
        case saving
    }

    private var before: CGImage?
    private var after: CGImage?
    @ObservationIgnored private let editor: FaceEditor
    @ObservationIgnored private var opening: Task<Void, Never>?
    @ObservationIgnored private var showing: Task<Void, Never>?
    @ObservationIgnored private var assetID: String?

    init(editor: FaceEditor) {
        self.editor = editor
        prompts = editor.prompts
    }

    /// The prompt that the slider is for.
    var prompt: Manifest.Prompt? { prompts.first { $0.id == promptID } }
    /// The strength of that prompt; setting it is a move of the slider.
    var strength: Double {
        get { promptID.flatMap { strengths[$0] } ?? 0 }
        set {
            guard let promptID, strengths[promptID] != newValue else { return }
            strengths[promptID] = newValue
            apply(moving: true)
        }
    }
    /// What is on screen: the edit, or while comparing the photo as it was.
    var shown: CGImage? { isComparing ? before : after ?? before }
    /// Whether there is something to save.
    var canSave: Bool { work == nil && !history.current.isEmpty }
    /// Whether the photo can be changed where it is.
    var canReplace: Bool { canSave && assetID != nil }

    /// Opens the photo that was open when the app ended.
    func restore() {
        guard photo == nil, let last = OpenPhotoStore.last() else { return }
        opening = Task { await report { try await open(last.photo, last.recipe) } }
    }

    /// Chooses a face, or a square that was drawn.
    func choose(_ face: Face) {
        guard let photo, work != .saving else { return }
        opening?.cancel()
        opening = Task { await report { try await choose(face, on: photo, []) } }
    }

    /// Adds a prompt, takes it away when the slider is for it already, or moves the slider to it.
    func tap(_ prompt: Manifest.Prompt) {
        if promptID == prompt.id {
            strengths[prompt.id] = nil
            promptID = strengths.keys.sorted().first
        } else {
            promptID = prompt.id
            strengths[prompt.id] = strengths[prompt.id] ?? prompt.strength.standard
        }
        apply(moving: false)
    }

    /// The slider was let go.
    func settle() {
        apply(moving: false)
        Announcement.say(String(localized: "The photo was edited"))
    }

    /// Goes through what was done.
    func step(_ change: (EditablePhoto) -> Void) {
        guard let photo else { return }
        change(photo)
        take(photo.history)
        ensureShowing(photo)
    }

    /// Adds the edited photo to the library; false if that failed.
    func save(inPlace: Bool) async -> Bool {
        guard let photo, work == nil else { return false }
        work = .saving
        defer { work = nil }
        var isSaved = false
        await report {
            let losses = try await BackgroundTime.during {
                try await PhotoSaver.save(photo, replacing: inPlace ? self.assetID : nil)
            }
            notice = Words.of(losses)
            isSaved = true
        }
        return isSaved
    }

    /// The edited photo in a file, for other apps.
    func exported() async throws -> URL {
        guard let photo else { throw ImageError.undecodable }
        return try await photo.save().url
    }

    private func pick() {
        guard let selection else { return }
        opening?.cancel()
        opening = Task {
            await report {
                work = .opening
                guard let picked = try await selection.loadTransferable(type: PickedPhoto.self) else {
                    throw ImageError.undecodable
                }
                try await open(try OpenPhotoStore.take(picked.url), nil)
                assetID = selection.itemIdentifier
            }
        }
    }

    private func open(_ url: URL, _ recipe: EditRecipe?) async throws {
        work = .opening
        defer { work = nil }
        close()
        let opened = try await editor.photo(at: url)
        try Task.checkCancellation()
        photo = opened
        before = try opened.original.cgImage()
        face = opened.chosen
        ensureShowing(opened)
        if let recipe { try await choose(recipe.face, on: opened, recipe.edits) }
    }

    private func choose(_ face: Face, on photo: EditablePhoto, _ edits: [Edit]) async throws {
        work = .encoding
        defer { work = nil }
        try await photo.choose(face)
        self.face = photo.chosen
        try photo.edit(edits)
        take(photo.history)
        ensureShowing(photo)
    }

    private func close() {
        photo?.cancel()
        showing?.cancel()
        (photo, showing, face, before, after, promptID, assetID) = (nil, nil, nil, nil, nil, nil, nil)
        (strengths, history) = ([:], EditHistory())
    }

    private func apply(moving: Bool) {
        guard let photo, face != nil else { return }
        do {
            let edits = prompts.compactMap { prompt in
                strengths[prompt.id].map { Edit(prompt: prompt.id, strength: $0) }
            }
            try photo.edit(edits, moving: moving)
            history = photo.history
            if !moving { try OpenPhotoStore.keep(EditRecipe(photo)) }
            ensureShowing(photo)
        } catch {
            problem = Words.of(error)
        }
    }

    private func take(_ history: EditHistory) {
        self.history = history
        strengths = Dictionary(history.current.map { ($0.prompt, $0.strength) }) { $1 }
        if promptID.flatMap({ strengths[$0] }) == nil { promptID = history.current.last?.prompt }
    }

    /// One loop shows every finished picture of a photo, in order. After an error the next edit starts it again.
    private func ensureShowing(_ photo: EditablePhoto) {
        guard showing == nil else { return }
        showing = Task { [weak self] in
            do {
                for try await preview in photo.previews {
                    let picture = try await preview.cgImage()
                    guard self?.photo === photo else { return }
                    self?.after = picture
                }
            } catch {
                self?.problem = Words.of(error)
            }
            if self?.photo === photo { self?.showing = nil }
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
            self.work = nil
            problem = Words.of(error)
        }
    }
}
