import Foundation

/// Measures a bundle on the device that runs it: loading, each network, a whole edit, a move of the slider, and memory.
public struct DeviceBenchmark: Sendable {
    /// What the benchmark needs of the system.
    public struct Device: Sendable {
        let machine: @Sendable () -> BenchmarkResult.Machine
        let software: [String: String]
        let memoryInUse: @Sendable () -> Int
        let memoryCounter: String
        let decodePNG: @Sendable (Data) throws -> RGBImage

        /// - Parameters:
        ///   - machine: describes the device, its thermal state as it is when called.
        ///   - software: versions of what runs the networks, by name.
        ///   - memoryInUse: bytes that the process holds now.
        ///   - memoryCounter: the system's name of that counter.
        ///   - decodePNG: the system's decoder.
        public init(
            machine: @escaping @Sendable () -> BenchmarkResult.Machine, software: [String: String],
            memoryInUse: @escaping @Sendable () -> Int, memoryCounter: String,
            decodePNG: @escaping @Sendable (Data) throws -> RGBImage
        ) {
            self.machine = machine
            self.software = software
            self.memoryInUse = memoryInUse
            self.memoryCounter = memoryCounter
            self.decodePNG = decodePNG
        }
    }

    private let bundle: EditorBundle
    private let device: Device
    private let rounds: Int
    private let warmup: Int
    private let previewSide: Int

    /// - Parameters:
    ///   - bundle: what is measured.
    ///   - device: the system below.
    ///   - rounds: timed runs of each measurement, taken in turn.
    ///   - warmup: untimed rounds before those.
    ///   - previewSide: pixels of the longer side of the picture that `slider_shown` pastes into.
    public init(bundle: EditorBundle, device: Device, rounds: Int = 20, warmup: Int = 3, previewSide: Int = 1280) {
        precondition(rounds >= 1 && warmup >= 0)
        self.bundle = bundle
        self.device = device
        self.rounds = rounds
        self.warmup = warmup
        self.previewSide = previewSide
    }

    /// Runs the benchmark.
    ///
    /// - Parameters:
    ///   - loadEngine: makes an engine whose networks are loaded when it returns; called once and timed.
    ///   - progress: the share that is done, 0 to 1.
    /// - Throws: the bundle has no prompt, or what the engine throws.
    public func run(
        loadEngine: @Sendable (_ parts: [String]) async throws -> any EditorEngine,
        progress: @Sendable (Double) async -> Void = { _ in }
    ) async throws -> BenchmarkResult {
        let began = Date.now
        guard let prompt = bundle.manifest.prompts.first else { throw EditError.unknownPrompt("any") }
        let parts = ["encoder", prompt.part, "decoder"] + (bundle.manifest.guideSide == nil ? [] : [Manifest.compositor])
        let memoryBefore = device.memoryInUse()
        var memoryPeak = memoryBefore
        var engine: (any EditorEngine)?
        let load = try await milliseconds { engine = try await loadEngine(parts) }
        guard let engine else { preconditionFailure("loading ended without an engine") }
        memoryPeak = max(memoryPeak, device.memoryInUse())
        var samples: [String: [Double]] = [:]
        let photo = try photo()
        let decoder = bundle.manifest.part("decoder")
        let screen = Screen(previewSide, faceSide: decoder?.output.shape.last ?? bundle.manifest.pixels.size)
        for round in 0..<(warmup + rounds) {
            let times = try await times(of: engine, prompt, photo, screen)
            memoryPeak = max(memoryPeak, device.memoryInUse())
            if round >= warmup {
                for (id, time) in times { samples[id, default: []].append(time) }
            }
            await progress(Double(round + 1) / Double(warmup + rounds))
        }
        let memory = Double(memoryPeak - memoryBefore)
        return result(began, prompt, samples, load: load, memory: memory)
    }

    private func photo() throws -> Tensor {
        guard let example = bundle.manifest.golden.first(where: { $0.part == "encoder" }) else {
            let size = bundle.manifest.pixels.size
            return Tensor(shape: [1, 3, size, size], values: [Float](repeating: 0, count: 3 * size * size))
        }
        return try bundle.goldenInput(of: example, decodePNG: device.decodePNG)
    }

    /// One round: milliseconds by id.
    private func times(
        of engine: any EditorEngine, _ prompt: Manifest.Prompt, _ photo: Tensor, _ screen: Screen
    ) async throws -> [String: Double] {
        var (wPlus, delta) = (photo, photo)
        let encode = try await milliseconds { wPlus = try await engine.run("encoder", on: photo) }
        let text = bundle.texts[prompt.id]
        let edit = try await milliseconds {
            delta = try await engine.run(prompt.part, on: text.map(wPlus.withText) ?? wPlus)
        }
        var decoded = photo
        let decode = try await milliseconds { decoded = try await engine.run("decoder", on: wPlus) }
        let strength = prompt.strength.standard
        let slider = try await milliseconds {
            _ = try await engine.run("decoder", on: wPlus.moved(along: delta, by: strength))
        }
        let pixels = bundle.manifest.pixels
        let drawing = drawing(photo, before: decoded)
        let shown = try await milliseconds {
            let face = pixels.image(try await engine.run("decoder", on: wPlus.moved(along: delta, by: strength)))
            guard let drawing else { return screen.show(face) }
            let fields = try await engine.run(Manifest.compositor, on: drawing.guides.tensor(after: face))
            screen.show(Overlay(fields: fields, after: face, pixels: pixels, low: drawing.low))
        }
        let composite = try await composite(of: engine, drawing?.guides.tensor(after: pixels.image(decoded)))
        let full = try await milliseconds {
            let source = try await engine.run("encoder", on: photo)
            let change = try await engine.run(prompt.part, on: text.map(source.withText) ?? source)
            _ = try await engine.run("decoder", on: source.moved(along: change, by: strength))
        }
        return [
            "encode": encode, "edit": edit, "decode": decode, "slider": slider, "slider_shown": shown, "full": full,
        ].merging(composite) { $1 }
    }

    private func composite(of engine: any EditorEngine, _ guides: Tensor?) async throws -> [String: Double] {
        guard let guides else { return [:] }
        return ["composite": try await milliseconds { _ = try await engine.run(Manifest.compositor, on: guides) }]
    }

    /// What the compositor and the drawing take from the photo; nil where edits are pasted.
    private func drawing(_ photo: Tensor, before: Tensor) -> (guides: Guides, low: Tensor)? {
        let pixels = bundle.manifest.pixels
        return bundle.manifest.guideSide.map { side in
            let crop = pixels.image(photo)
            return (Guides(photo: crop, before: pixels.image(before), side: side, pixels: pixels), crop.lowered(to: side))
        }
    }

    private func milliseconds(_ work: () async throws -> Void) async throws -> Double {
        try Task.checkCancellation()
        let duration = try await ContinuousClock().measure { try await work() }
        return duration / .milliseconds(1)
    }

    private func result(
        _ began: Date, _ prompt: Manifest.Prompt, _ samples: [String: [Double]], load: Double, memory: Double
    ) -> BenchmarkResult {
        let manifest = bundle.manifest
        let parts = [
            "encode": "encoder", "edit": prompt.part, "decode": "decoder", "composite": Manifest.compositor,
        ]
        let timed = [
            ("full", "full edit"), ("encode", "encode"), ("edit", "editor"), ("decode", "decode"),
            ("composite", "compositor"), ("slider", "move of the slider"),
            ("slider_shown", "slider to shown picture"),
        ].filter { samples[$0.0] != nil }.map { id, series in
            let labels = parts[id].map { part in
                ["part": part, "precision": manifest.part(part)?.precision ?? ""]
            }
            return BenchmarkResult.Measurement(
                id: id, group: "an edit", series: series, unit: "ms", samples: samples[id] ?? [], labels: labels)
        }
        let once = [
            BenchmarkResult.Measurement(
                id: "load", group: "loading", series: manifest.guideSide == nil ? "three networks" : "four networks", unit: "ms",
                samples: [load], labels: nil),
            BenchmarkResult.Measurement(
                id: "memory", group: "memory", series: "loading and an edit", unit: "bytes", samples: [memory],
                labels: ["counter": device.memoryCounter, "sampled": "after loading and after each round"]),
        ]
        return BenchmarkResult(
            takenAt: began.formatted(.iso8601), machine: device.machine(), software: device.software,
            subject: .init(
                model: manifest.name, bundleTarget: manifest.target.rawValue, checkpointId: manifest.checkpointID),
            settings: .init(rounds: rounds, warmup: warmup), measurements: timed + once)
    }
}

/// A preview as a phone shows it, 4 to 3, with a face that fills most of its height.
private struct Screen: Sendable {
    // 700 of 1280 pixels.
    private static let cropToSide = 0.547

    private let picture: RGBImage
    private let place: CropTransform
    private let paster: FacePaster

    init(_ width: Int, faceSide: Int) {
        let height = width * 3 / 4
        let grey = { (width: Int, height: Int) in
            RGBImage(width: width, height: height, bytes: [UInt8](repeating: 128, count: 3 * width * height))
        }
        let crop = (Double(width) * Self.cropToSide).rounded()
        let corner = SIMD2(Double(width), Double(height)) / 2 - crop / 2
        picture = grey(width, height)
        place = CropTransform(origin: corner, axis: SIMD2(crop, 0))
        paster = FacePaster(
            crop: place, width: width, rows: 0..<height, faceSide: faceSide, reconstruction: grey(faceSide, faceSide))
    }

    func show(_ face: RGBImage) {
        var shown = picture
        paster.paste(face, into: &shown)
    }

    func show(_ overlay: Overlay) {
        _ = picture.drawing(overlay, at: place)
    }
}

extension BenchmarkResult {
    /// The document as JSON.
    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }
}
