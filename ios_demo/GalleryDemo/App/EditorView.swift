import EditorKit
import PhotosUI
import SwiftUI

/// Choose a photo, a face, prompts and strengths; compare, undo, save and share.
struct EditorView: View {
    @State var model: EditorModel
    @State private var saves = 0
    @State private var isDrawing = false
    @Environment(\.verticalSizeClass) private var height

    var body: some View {
        // On its side a phone has no height for controls below the picture.
        let layout = height == .compact ? AnyLayout(HStackLayout(spacing: 16)) : AnyLayout(VStackLayout(spacing: 16))
        layout {
            stage
            if model.photo != nil { controls }
        }
        .padding()
        .toolbar { actions }
        .sensoryFeedback(.success, trigger: saves)
        .problemAlert($model.problem)
        .task { model.restore() }
    }

    @ViewBuilder private var stage: some View {
        if let picture = model.shown {
            PhotoStage(model: model, picture: picture, isComparing: $model.isComparing, isDrawing: $isDrawing)
        } else if model.work != nil {
            ProgressView("Opening the photo").frame(maxWidth: .infinity, maxHeight: .infinity)
        } else {
            ContentUnavailableView {
                Label("Choose a photo", systemImage: "photo.on.rectangle")
            } description: {
                Text("The photo stays on this device.")
            } actions: {
                picker.buttonStyle(.borderedProminent)
            }
        }
    }

    /// Scrolls only where large fonts leave too little height.
    private var controls: some View {
        ViewThatFits(in: .vertical) {
            controlColumn
            ScrollView { controlColumn }
        }
    }

    private var controlColumn: some View {
        VStack(spacing: 16) {
            hint
            if model.face != nil {
                PromptChips(
                    prompts: model.prompts, chosen: Set(model.strengths.keys), current: model.promptID, tap: model.tap)
                if let prompt = model.prompt {
                    StrengthSlider(range: prompt.strength, strength: $model.strength, settle: model.settle)
                }
            }
            if let notice = model.notice { Label(notice, systemImage: "info.circle").font(.footnote) }
        }
    }

    @ViewBuilder private var hint: some View {
        if model.face == nil, let photo = model.photo {
            if isDrawing {
                Label("Draw a square around the face.", systemImage: "square.dashed")
            } else if photo.faces.isEmpty {
                Label("No face was found.", systemImage: "face.dashed")
                Button("Draw a square", systemImage: "square.dashed") { isDrawing = true }
            } else {
                Label("Tap the face to edit.", systemImage: "hand.tap")
            }
        }
    }

    private var picker: some View {
        PhotosPicker(
            selection: $model.selection, matching: .images, preferredItemEncoding: .current, photoLibrary: .shared()
        ) {
            Label("Choose a photo", systemImage: "photo.badge.plus")
        }
    }

    @ToolbarContentBuilder private var actions: some ToolbarContent {
        ToolbarItem(placement: .topBarLeading) { picker.disabled(model.work == .saving) }
        ToolbarItemGroup(placement: .bottomBar) {
            Button("Undo", systemImage: "arrow.uturn.backward") { model.step { $0.undo() } }
                .disabled(!model.history.canUndo)
            Button("Redo", systemImage: "arrow.uturn.forward") { model.step { $0.redo() } }
                .disabled(!model.history.canRedo)
            Button("Reset", systemImage: "arrow.counterclockwise") { model.step { $0.reset() } }
                .disabled(model.history.current.isEmpty)
            Spacer()
            Menu("Save", systemImage: "square.and.arrow.down") {
                Button("Save a copy", systemImage: "plus.square.on.square") { save(inPlace: false) }
                Button("Change this photo", systemImage: "photo") { save(inPlace: true) }
                    .disabled(!model.canReplace)
            }
            .disabled(!model.canSave)
            ShareLink(item: SharedEdit(model: model), preview: SharePreview("Edited photo")).disabled(!model.canSave)
        }
    }

    private func save(inPlace: Bool) {
        Task {
            guard await model.save(inPlace: inPlace) else { return }
            saves += 1
            Announcement.say(String(localized: "Saved to the photo library"))
        }
    }
}

/// The last edit as a file for other apps, made when one asks for it.
struct SharedEdit: Transferable {
    let model: EditorModel

    static var transferRepresentation: some TransferRepresentation {
        FileRepresentation(exportedContentType: .image) { (edit: SharedEdit) in
            SentTransferredFile(try await edit.model.exported())
        }
    }
}
