import EditorKit
import SwiftUI
import UniformTypeIdentifiers

/// The editor, and a menu with the screens for developers.
struct RootView: View {
    let services: EditorServices
    @State private var path: [Screen] = []
    @State private var isImporting = false
    @State private var problem: String?

    private enum Screen: Hashable {
        case selfTest
        case benchmark
    }

    var body: some View {
        NavigationStack(path: $path) {
            content
                .navigationTitle("Face editor")
                .navigationBarTitleDisplayMode(.inline)
                .toolbar { menu }
                .navigationDestination(for: Screen.self, destination: destination)
        }
        .task { await services.open() }
        .fileImporter(isPresented: $isImporting, allowedContentTypes: [.folder], onCompletion: install)
        .problemAlert($problem)
    }

    @ViewBuilder private var content: some View {
        if let ready = services.ready {
            // A new bundle brings a new editor, whose state starts afresh.
            EditorView(model: EditorModel(editor: ready.editor)).id(ready.bundle.manifest.digest)
        } else if let failure = services.failure {
            ContentUnavailableView {
                Label("No model", systemImage: "exclamationmark.triangle")
            } description: {
                Text(failure)
            } actions: {
                Button("Try again") { attempt { await services.open() } }
                if services.canRollBack { Button("Undo the update", action: rollBack) }
            }
        } else {
            ProgressView(value: services.progress) { Text("Preparing the model; the first time takes a moment") }
                .padding()
        }
    }

    private var menu: some ToolbarContent {
        ToolbarItem(placement: .topBarTrailing) {
            Menu("More", systemImage: "ellipsis.circle") {
                Button("Self-test", systemImage: "checkmark.seal") { path.append(.selfTest) }
                Button("Benchmark", systemImage: "stopwatch") { path.append(.benchmark) }
                Button("Install an update", systemImage: "square.and.arrow.down") { isImporting = true }
                if services.canRollBack {
                    Button("Undo the update", systemImage: "arrow.uturn.backward", action: rollBack)
                }
            }
            .disabled(services.ready == nil)
        }
    }

    @ViewBuilder private func destination(_ screen: Screen) -> some View {
        if let ready = services.ready {
            switch screen {
            case .selfTest: SelfTestView(ready: ready)
            case .benchmark: BenchmarkView(ready: ready)
            }
        }
    }

    private func install(_ chosen: Result<URL, any Error>) {
        attempt { try await services.install(try chosen.get()) }
    }

    private func rollBack() {
        attempt { try await services.rollBack() }
    }

    private func attempt(_ work: @escaping @MainActor () async throws -> Void) {
        Task {
            do {
                try await work()
            } catch {
                problem = Words.of(error)
            }
        }
    }
}
