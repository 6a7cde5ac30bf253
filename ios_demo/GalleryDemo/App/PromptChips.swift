import EditorKit
import SwiftUI

/// One chip per prompt of the bundle, in the user's language where the bundle has it. Several may apply; the slider is for one of them.
struct PromptChips: View {
    let prompts: [Manifest.Prompt]
    let chosen: Set<String>
    let current: String?
    let tap: (Manifest.Prompt) -> Void

    var body: some View {
        ScrollView(.horizontal) {
            HStack {
                ForEach(prompts) { prompt in
                    chip(prompt)
                }
            }
        }
        .scrollIndicators(.hidden)
        .accessibilityLabel("Edits")
    }

    private func chip(_ prompt: Manifest.Prompt) -> some View {
        let isChosen = chosen.contains(prompt.id)
        return Button(Self.name(of: prompt)) { tap(prompt) }
            .buttonStyle(.bordered)
            .buttonBorderShape(.capsule)
            .tint(isChosen ? .accentColor : .secondary)
            .overlay { if prompt.id == current { Capsule().stroke(Color.accentColor, lineWidth: 2) } }
            .accessibilityAddTraits(isChosen ? .isSelected : [])
            .accessibilityHint(prompt.text)
    }

    private static func name(of prompt: Manifest.Prompt) -> String {
        let preferred = Bundle.preferredLocalizations(from: Array(prompt.names.keys), forPreferences: Locale.preferredLanguages)
        return preferred.first.flatMap { prompt.names[$0] } ?? prompt.id
    }
}
