import EditorCore
import EditorCoreML
import Foundation
import Observation

/// The bundle in use and what runs it. Everything else in the app gets its session, its tests and its measurements from here.
@MainActor
@Observable
final class EditorServices {
    /// A checked bundle and its engine.
    struct Editor: Sendable {
        let bundle: EditorBundle
        let engine: CoreMLEngine
    }

    /// Why there is no editor, in words for the user.
    struct Unavailable: LocalizedError {
        let reason: String
        var errorDescription: String? { reason }
    }

    private(set) var editor: Editor?
    private(set) var failure: String?
    private(set) var canRollBack = false
    @ObservationIgnored private let store: BundleStore?
    @ObservationIgnored private let cache: CompiledModelCache

    init() {
        let support = URL.applicationSupportDirectory.appending(path: "Editor", directoryHint: .isDirectory)
        // Replace nil by the base64 of your public key, and no update but yours is taken (python -m export --sign).
        store = Bundle.main.url(forResource: "model", withExtension: "textedit", subdirectory: "Embedded").map {
            BundleStore(embedded: $0, folder: support, signer: nil)
        }
        cache = CompiledModelCache(folder: URL.cachesDirectory.appending(path: "CompiledModels"))
    }

    /// Checks the bundle and makes an engine for it; hashing takes a moment and happens off the main actor.
    func open() async {
        do {
            let store = try requiredStore()
            try await use(try await store.current())
        } catch {
            failure = error.localizedDescription
        }
    }

    /// Installs a bundle that the user chose in the Files app, if its networks pass their self-test here.
    func install(_ update: URL) async throws {
        let (store, cache) = (try requiredStore(), cache)
        let access = update.startAccessingSecurityScopedResource()
        defer { if access { update.stopAccessingSecurityScopedResource() } }
        let bundle = try await store.install(update) { bundle in
            let engine = try CoreMLEngine(bundle: bundle, cache: cache)
            let outcomes = try await SelfTest(bundle: bundle, engine: engine) { try RGBImage(png: $0) }.run()
            if let failed = outcomes.first(where: { !$0.passed }) {
                throw Unavailable(reason: String(localized: "The update fails its self-test: \(failed.part)"))
            }
        }
        try await use(bundle)
    }

    /// Goes back to the bundle before the last update.
    func rollBack() async throws {
        try await use(try await requiredStore().rollback())
    }

    private func requiredStore() throws -> BundleStore {
        guard let store else {
            throw Unavailable(
                reason: String(
                    localized: "This build has no model. Run: python -m export --target ios --embed ios_demo"))
        }
        return store
    }

    private func use(_ bundle: EditorBundle) async throws {
        editor = Editor(bundle: bundle, engine: try CoreMLEngine(bundle: bundle, cache: cache))
        failure = nil
        canRollBack = await store?.canRollBack() ?? false
        try await cache.keepOnly(bundle)
    }
}
