import EditorKit
import Foundation
import Observation

/// The bundle in use and what runs it. Everything else in the app gets its editor, its tests and its measurements from here.
@MainActor
@Observable
final class EditorServices {
    /// A checked bundle, its engine, and the editor around them.
    struct Ready: Sendable {
        let bundle: EditorBundle
        let engine: CoreMLEngine
        let editor: FaceEditor
    }

    /// Why there is no editor, in words for the user.
    struct Unavailable: LocalizedError {
        let reason: String
        var errorDescription: String? { reason }
    }

    private(set) var ready: Ready?
    private(set) var failure: String?
    /// The share of compiling, loading and testing that is done, 0 to 1.
    private(set) var progress = 0.0
    private(set) var canRollBack = false
    @ObservationIgnored private let store: BundleStore?
    @ObservationIgnored private let cache = CompiledModelCache.standard

    init() {
        let support = URL.applicationSupportDirectory.appending(path: "Editor", directoryHint: .isDirectory)
        // Replace nil by the base64 of your public key, and no update but yours is taken (python -m export --sign).
        store = Bundle.main.url(forResource: "model", withExtension: "textedit", subdirectory: "Embedded").map {
            BundleStore(embedded: $0, folder: support, signer: nil)
        }
    }

    /// Checks the bundle, compiles its networks where that has not been done, and tests them on a new bundle or system; may be called
    /// again after a failure.
    func open() async {
        failure = nil
        do {
            let store = try requiredStore()
            try await use(try await store.current())
        } catch {
            failure = Words.of(error)
        }
    }

    /// Installs a bundle that the user chose in the Files app, if its networks pass their self-test here.
    func install(_ update: URL) async throws {
        let (store, cache) = (try requiredStore(), cache)
        let access = update.startAccessingSecurityScopedResource()
        defer { if access { update.stopAccessingSecurityScopedResource() } }
        let bundle = try await store.install(update) { bundle in
            try await CoreMLEngine(bundle: bundle, cache: cache).prepare()
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
        let engine = try CoreMLEngine(bundle: bundle, cache: cache)
        try await engine.prepare { share in await self.show(share) }
        let networks = BundleNetworks(bundle: bundle, engine: engine)
        let editor = FaceEditor(networks: networks, detector: VisionFaceDetector())
        ready = Ready(bundle: bundle, engine: engine, editor: editor)
        canRollBack = await store?.canRollBack() ?? false
        try await cache.keepOnly(bundle)
    }

    private func show(_ share: Double) { progress = share }
}
