import SwiftUI

/// The picture. Holding it shows the photo as it was; the button does the same for those who cannot hold.
struct PhotoStage: View {
    let picture: CGImage
    let isBusy: Bool
    @Binding var isComparing: Bool

    var body: some View {
        Image(picture, scale: 1, label: isComparing ? Text("The photo before the edit") : Text("The edited photo"))
            .resizable()
            .scaledToFit()
            .clipShape(.rect(cornerRadius: 12))
            .frame(maxWidth: .infinity, maxHeight: .infinity)
            .overlay { if isBusy { ProgressView().controlSize(.large) } }
            .overlay(alignment: .topLeading) { if isComparing { badge } }
            .overlay(alignment: .bottomTrailing) { compare }
            .onLongPressGesture(minimumDuration: .infinity, perform: {}, onPressingChanged: { isComparing = $0 })
            .accessibilityElement(children: .contain)
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
