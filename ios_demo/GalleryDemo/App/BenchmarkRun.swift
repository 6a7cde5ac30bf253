import EditorKit
import Foundation

/// One measurement of the bundle on this device, written as a result document.
struct BenchmarkRun: Sendable {
    /// With this argument the app measures itself, writes the document and ends: how a computer starts it.
    static let argument = "--benchmark"
    /// Where the document lies: Documents/benchmark.json, which the Files app and `devicectl` can read.
    static let document = URL.documentsDirectory.appending(path: "benchmark.json")

    static var isRequested: Bool { ProcessInfo.processInfo.arguments.contains(argument) }

    let bundle: EditorBundle

    /// Measures with an engine of its own, so that loading is part of it.
    func run(progress: @escaping @Sendable (Double) async -> Void) async throws -> BenchmarkResult {
        // Who waits for the new result must not find the one before.
        try? FileManager.default.removeItem(at: Self.document)
        let cache = CompiledModelCache.standard
        // Compiling happens once per version of the bundle, loading at every start; only loading is measured.
        for part in bundle.manifest.parts { _ = try await cache.url(of: part, in: bundle) }
        let bundle = bundle
        let result = try await DeviceBenchmark(bundle: bundle, device: .current()).run(
            loadEngine: { parts in
                let engine = try CoreMLEngine(bundle: bundle, cache: cache)
                try await engine.load(parts)
                return engine
            }, progress: progress)
        try result.json().write(to: Self.document, options: .atomic)
        return result
    }
}
