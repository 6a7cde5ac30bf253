import EditorKit
import SwiftUI

/// How far the edit goes; every move of the slider redraws the face, and letting it go is one step of the history.
struct StrengthSlider: View {
    let range: StrengthRange
    @Binding var strength: Double
    let settle: () -> Void

    var body: some View {
        VStack(alignment: .leading, spacing: 4) {
            LabeledContent("Strength") {
                Text(strength, format: .percent.precision(.fractionLength(0))).monospacedDigit()
            }
            .accessibilityHidden(true)
            Slider(value: $strength, in: range.minimum...range.maximum) {
                Text("Strength")
            } onEditingChanged: { isMoving in
                if !isMoving { settle() }
            }
            .accessibilityValue(strength.formatted(.percent.precision(.fractionLength(0))))
        }
    }
}
