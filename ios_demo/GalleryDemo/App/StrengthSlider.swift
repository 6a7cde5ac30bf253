import EditorCore
import SwiftUI

/// How far the edit goes; every move of the slider redraws the face.
struct StrengthSlider: View {
    let range: StrengthRange
    @Binding var strength: Double

    var body: some View {
        VStack(alignment: .leading, spacing: 4) {
            LabeledContent("Strength") {
                Text(strength, format: .percent.precision(.fractionLength(0))).monospacedDigit()
            }
            .accessibilityHidden(true)
            Slider(value: $strength, in: range.minimum...range.maximum) {
                Text("Strength")
            }
            .accessibilityValue(strength.formatted(.percent.precision(.fractionLength(0))))
        }
    }
}
