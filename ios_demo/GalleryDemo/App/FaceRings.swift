import EditorKit
import SwiftUI

/// A ring around every face; a tap chooses one. While drawing, a drag makes a square.
struct FaceRings: View {
    let photo: EditablePhoto
    let chosen: Face?
    @Binding var isDrawing: Bool
    let choose: (Face) -> Void
    @State private var square: Face?

    var body: some View {
        GeometryReader { geometry in
            let scale = geometry.size.width / Double(photo.source.width)
            ZStack {
                if isDrawing {
                    Color.black.opacity(0.2).contentShape(.rect).gesture(drawing(scale))
                    if let square { outline(Rectangle(), square, scale, isChosen: true) }
                } else if photo.faces.count > 1 || chosen == nil {
                    ForEach(photo.faces) { face in ring(face, scale) }
                }
            }
        }
    }

    private func ring(_ face: Face, _ scale: Double) -> some View {
        let number = String(face.id + 1)
        return Button {
            choose(face)
        } label: {
            outline(Circle(), face, scale, isChosen: face == chosen)
        }
        .buttonStyle(.plain)
        .accessibilityLabel("Face \(number)")
        .accessibilityAddTraits(face == chosen ? .isSelected : [])
    }

    private func outline(_ shape: some Shape, _ face: Face, _ scale: Double, isChosen: Bool) -> some View {
        shape
            .stroke(isChosen ? Color.accentColor : .white, lineWidth: 3)
            .frame(width: 2 * face.radius * scale, height: 2 * face.radius * scale)
            .position(x: face.centre.x * scale, y: face.centre.y * scale)
            .contentShape(shape)
    }

    private func drawing(_ scale: Double) -> some Gesture {
        DragGesture(minimumDistance: 10)
            .onChanged { drag in square = face(drag, scale) }
            .onEnded { drag in
                square = nil
                isDrawing = false
                choose(face(drag, scale))
            }
    }

    /// The square between the two ends of a drag.
    private func face(_ drag: DragGesture.Value, _ scale: Double) -> Face {
        let start = SIMD2(Double(drag.startLocation.x), Double(drag.startLocation.y)) / scale
        let end = SIMD2(Double(drag.location.x), Double(drag.location.y)) / scale
        let side = max(abs(end.x - start.x), abs(end.y - start.y))
        return .drawn(centre: (start + end) / 2, side: max(side, 16))
    }
}
