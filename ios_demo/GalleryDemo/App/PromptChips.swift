import EditorCore
import SwiftUI

/// One chip per prompt of the bundle, in the user's language where the bundle has it.
struct PromptChips: View {
    let prompts: [Manifest.Prompt]
    @Binding var selection: String

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
        let isSelected = prompt.id == selection
        return Button(Self.name(of: prompt)) { selection = prompt.id }
            .buttonStyle(.bordered)
            .buttonBorderShape(.capsule)
            .tint(isSelected ? .accentColor : .secondary)
            .accessibilityAddTraits(isSelected ? .isSelected : [])
            .accessibilityHint(prompt.text)
    }

    private static func name(of prompt: Manifest.Prompt) -> String {
        let preferred = Bundle.preferredLocalizations(from: Array(prompt.names.keys), forPreferences: Locale.preferredLanguages)
        return preferred.first.flatMap { prompt.names[$0] } ?? prompt.id
    }
}
