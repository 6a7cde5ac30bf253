import Foundation

/// Feeds every network the bundle's golden inputs and compares the answers. To be run after installation and after a system update.
public struct SelfTest: Sendable {
    /// What became of one network.
    public struct Outcome: Equatable, Sendable, Identifiable {
        /// The network.
        public let part: String
        /// PSNR in dB against the stored answer; nil when the two cannot be compared.
        public let decibels: Double?
        /// The PSNR that it must reach.
        public let floor: Double

        /// The network.
        public var id: String { part }
        /// Whether the network does on this device what it did when it was exported.
        public var passed: Bool { decibels.map { $0 >= floor } ?? false }
    }

    private let bundle: EditorBundle
    private let engine: any EditorEngine
    private let decodePNG: @Sendable (Data) throws -> RGBImage

    /// - Parameters:
    ///   - bundle: whose golden cases are tested.
    ///   - engine: what runs its networks.
    ///   - decodePNG: the system's decoder.
    public init(
        bundle: EditorBundle, engine: some EditorEngine, decodePNG: @escaping @Sendable (Data) throws -> RGBImage
    ) {
        self.bundle = bundle
        self.engine = engine
        self.decodePNG = decodePNG
    }

    /// Tests one network after the other.
    ///
    /// - Throws: a golden file cannot be read, or the engine fails. A network that answers wrongly is an outcome, not an error.
    public func run() async throws -> [Outcome] {
        var outcomes: [Outcome] = []
        for example in bundle.manifest.golden {
            try Task.checkCancellation()
            outcomes.append(try await outcome(of: example))
        }
        return outcomes
    }

    private func outcome(of example: Manifest.GoldenCase) async throws -> Outcome {
        let output = try await engine.run(example.part, on: try bundle.goldenInput(of: example, decodePNG: decodePNG))
        let expected = try bundle.tensor(example.output, shape: example.shape)
        let decibels = Self.decibels(expected: expected, actual: output)
        return Outcome(part: example.part, decibels: decibels, floor: example.floor)
    }

    /// The PSNR of an answer, or nil if the shapes differ or a value is not finite.
    static func decibels(expected: Tensor, actual: Tensor) -> Double? {
        guard actual.shape == expected.shape, actual.isFinite, expected.isFinite else { return nil }
        return PSNR.decibels(expected: expected.values, actual: actual.values)
    }
}

extension EditorBundle {
    /// What a golden case feeds its network with.
    func goldenInput(
        of example: Manifest.GoldenCase, decodePNG: (Data) throws -> RGBImage
    ) throws -> Tensor {
        if example.input.hasSuffix(".png") {
            return manifest.pixels.tensor(try decodePNG(try Data(contentsOf: url(example.input))))
        }
        return try tensor(example.input, shape: manifest.part(example.part)?.input.shape ?? [])
    }

    fileprivate func tensor(_ path: String, shape: [Int]) throws -> Tensor {
        try Tensor(littleEndian: try Data(contentsOf: url(path)), shape: shape, source: path)
    }
}
