import Foundation

@testable import EditorCore

/// Networks that a test can hold and let go: each answers with what it was given, moved by a number of its own.
actor FakeEngine: EditorEngine {
    private let shapes: [String: [Int]]
    private(set) var calls: [String] = []
    private var held: [String: [CheckedContinuation<Void, Never>]] = [:]
    private var holding: Set<String> = []

    init(_ manifest: Manifest) {
        shapes = Dictionary(uniqueKeysWithValues: manifest.parts.map { ($0.part, $0.output.shape) })
    }

    func run(_ part: String, on input: Tensor) async throws -> Tensor {
        calls.append(part)
        if holding.contains(part) {
            await withCheckedContinuation { held[part, default: []].append($0) }
        }
        let shape = shapes[part] ?? []
        let count = shape.reduce(1, *)
        let mean = input.values.reduce(0, +) / Float(input.values.count)
        return Tensor(shape: shape, values: (0..<count).map { mean + 0.01 * Float($0 % 7) })
    }

    /// From now on this network does not answer.
    func hold(_ part: String) { holding.insert(part) }

    /// Lets all answer that were held, and those to come.
    func release(_ part: String) {
        holding.remove(part)
        for continuation in held.removeValue(forKey: part) ?? [] { continuation.resume() }
    }

    /// Returns when a network has been called so often.
    func called(_ part: String, times: Int) async {
        while calls.filter({ $0 == part }).count < times { await Task.yield() }
    }
}

/// Calls with a bundle of the vectors, by the name of its case.
func withBundle<Result>(
    _ name: String = "an own editor and a prompt as vector", _ body: (EditorBundle) async throws -> Result
) async throws -> Result {
    let vectors: TrustTests.Bundles = try Contracts.load("bundles.json")
    guard let example = vectors.cases.first(where: { $0.name == name }) else { throw CocoaError(.fileNoSuchFile) }
    return try await withFolder { folder in
        let root = try vectors.contents.write(example.files, to: folder.appending(path: "demo.textedit"))
        return try await body(try EditorBundle(at: root))
    }
}
