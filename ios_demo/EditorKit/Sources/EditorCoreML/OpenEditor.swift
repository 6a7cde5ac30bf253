#if canImport(CoreML)
    import EditorCore
    import Foundation

    extension FaceEditor {
        /// Opens a bundle: every hash and the signature are checked, its networks are compiled and loaded, and on a new bundle or a new
        /// version of the system they have to pass their self-test. The first time takes seconds, later ones a moment.
        ///
        /// - Parameters:
        ///   - url: of the bundle's directory.
        ///   - signer: base64 of the DER public key that must have signed it; nil takes any signer or none.
        ///   - options: how much the app wants to see.
        ///   - progress: the share that is done, 0 to 1.
        /// - Throws: `BundleError`, `CoreMLEngineError`, or what Core ML throws.
        public static func open(
            bundle url: URL, signer: String? = nil, options: Options = Options(),
            progress: @Sendable (Double) async -> Void = { _ in }
        ) async throws -> FaceEditor {
            let bundle = try EditorBundle(at: url, signer: signer)
            let engine = try CoreMLEngine(bundle: bundle, cache: .standard)
            try await engine.prepare(progress: progress)
            let networks = BundleNetworks(bundle: bundle, engine: engine)
            return FaceEditor(networks: networks, detector: VisionFaceDetector(), options: options)
        }
    }

    extension CoreMLEngine {
        /// Compiles and loads every network, and runs the self-test unless this bundle has passed it on this system before.
        ///
        /// - Parameter progress: the share that is done, 0 to 1.
        /// - Throws: `CoreMLEngineError.selfTestFailed`, or what Core ML throws.
        public func prepare(progress: @Sendable (Double) async -> Void = { _ in }) async throws {
            let parts = bundle.manifest.parts.map(\.part)
            for (index, part) in parts.enumerated() {
                try Task.checkCancellation()
                try await load([part])
                await progress(Double(index + 1) / Double(parts.count + 1))
            }
            if await !cache.hasPassed(bundle) {
                let outcomes = try await SelfTest(bundle: bundle, engine: self) { try RGBImage(png: $0) }.run()
                if let failed = outcomes.first(where: { !$0.passed }) {
                    throw CoreMLEngineError.selfTestFailed(failed.part)
                }
                try await cache.markPassed(bundle)
            }
            await progress(1)
        }
    }
#endif
