import EditorCore
import PhotosUI
import SwiftUI

/// Choose a photo, a prompt and a strength; compare, save and share.
struct EditorView: View {
    @State var model: EditorModel
    @State private var saves = 0

    var body: some View {
        VStack(spacing: 16) {
            stage
            if model.shown != nil {
                PromptChips(prompts: model.prompts, selection: $model.promptID)
                if let prompt = model.prompt { StrengthSlider(range: prompt.strength, strength: $model.strength) }
            }
        }
        .padding()
        .toolbar { actions }
        .sensoryFeedback(.success, trigger: saves)
        .problemAlert($model.problem)
    }

    @ViewBuilder private var stage: some View {
        if let picture = model.shown {
            PhotoStage(picture: picture, isBusy: model.isOpening, isComparing: $model.isComparing)
            if !model.faceWasFound {
                Label("No face was found; the middle of the photo is edited.", systemImage: "face.dashed")
                    .font(.footnote)
                    .foregroundStyle(.secondary)
            }
        } else if model.isOpening {
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

    private var picker: some View {
        PhotosPicker(selection: $model.selection, matching: .images) {
            Label("Choose a photo", systemImage: "photo.badge.plus")
        }
    }

    @ToolbarContentBuilder private var actions: some ToolbarContent {
        ToolbarItem(placement: .topBarLeading) { picker }
        ToolbarItemGroup(placement: .bottomBar) {
            if let edited = model.edited {
                Button("Save", systemImage: "square.and.arrow.down", action: save)
                Spacer()
                ShareLink(item: edited, preview: SharePreview("Edited photo"))
            }
        }
    }

    private func save() {
        Task {
            guard await model.save() else { return }
            saves += 1
            AccessibilityNotification.Announcement(String(localized: "Saved to the photo library")).post()
        }
    }
}
