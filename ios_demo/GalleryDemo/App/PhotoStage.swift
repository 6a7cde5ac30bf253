import EditorKit
import SwiftUI

/// The picture with rings on its faces. Holding it shows the photo as it was; the button does the same for those who cannot hold. Two
/// fingers make it larger.
struct PhotoStage: View {
    let model: EditorModel
    let picture: CGImage
    @Binding var isComparing: Bool
    @Binding var isDrawing: Bool
    @GestureState private var zoom = 1.0

    var body: some View {
        Image(picture, scale: 1, label: isComparing ? Text("The photo before the edit") : Text("The edited photo"))
            .resizable()
            .scaledToFit()
            .overlay { rings }
            .scaleEffect(zoom)
            .clipShape(.rect(cornerRadius: 12))
            .frame(maxWidth: .infinity, maxHeight: .infinity)
            .overlay { if model.work != nil { ProgressView().controlSize(.large) } }
            .overlay(alignment: .topLeading) { if isComparing { badge } }
            .overlay(alignment: .bottomTrailing) { compare }
            .onLongPressGesture(minimumDuration: .infinity, perform: {}, onPressingChanged: hold)
            .simultaneousGesture(MagnifyGesture().updating($zoom) { pinch, zoom, _ in zoom = max(1, pinch.magnification) })
            .accessibilityElement(children: .contain)
    }

    @ViewBuilder private var rings: some View {
        if let photo = model.photo, !isComparing {
            FaceRings(photo: photo, chosen: model.face, isDrawing: $isDrawing, choose: model.choose)
        }
    }

    private func hold(_ isHeld: Bool) {
        if !isDrawing { isComparing = isHeld }
    }

    private var badge: some View {
        Text("Before")
            .font(.caption.bold())
            .padding(8)
            .background(.thinMaterial, in: .capsule)
            .padding(8)
    }

    private var compare: some View {
        Toggle("Show the photo as it was", systemImage: "rectangle.lefthalf.inset.filled", isOn: $isComparing)
            .toggleStyle(.button)
            .labelStyle(.iconOnly)
            .background(.thinMaterial, in: .circle)
            .padding(8)
    }
}
