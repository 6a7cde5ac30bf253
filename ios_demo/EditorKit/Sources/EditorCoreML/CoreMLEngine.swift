#if canImport(CoreML)
    import CoreML
    import EditorCore
    import Foundation

    /// Why a bundle's networks cannot be run.
    public enum CoreMLEngineError: Error, Equatable, CustomStringConvertible {
        /// The bundle was made for another runtime.
        case wrongRuntime(String)
        /// The bundle has no such network.
        case unknownPart(String)
        /// The network gave no output of the manifest's name and shape.
        case wrongOutput(String)
        /// The network does not do on this device what it did when it was exported.
        case selfTestFailed(String)
        /// This version of the system cannot tell.
        case systemTooOld

        /// The reason for people.
        public var description: String {
            switch self {
            case .wrongRuntime(let name): "the bundle needs \(name), not Core ML; export it with --target ios"
            case .unknownPart(let part): "the bundle has no part '\(part)'"
            case .wrongOutput(let part): "\(part) does not answer as its manifest says"
            case .selfTestFailed(let part): "\(part) fails its self-test on this device"
            case .systemTooOld: "this needs iOS 17.4 or later"
            }
        }
    }

    extension CoreMLEngineError: LocalizedError {
        /// The same as `description`.
        public var errorDescription: String? { description }
    }

    /// Runs a bundle's networks by Core ML. Each is loaded when it is first needed, and all are dropped when memory runs short.
    public actor CoreMLEngine: EditorEngine {
        let bundle: EditorBundle
        let cache: CompiledModelCache
        private var models: [String: Task<LoadedModel, any Error>] = [:]
        private var memoryPressure: MemoryPressureObserver?

        /// - Parameters:
        ///   - bundle: of target ios.
        ///   - cache: where compiled networks are kept.
        /// - Throws: the bundle is for another runtime.
        public init(bundle: EditorBundle, cache: CompiledModelCache) throws {
            guard bundle.manifest.runtime.name == "Core ML" else {
                throw CoreMLEngineError.wrongRuntime(bundle.manifest.runtime.name)
            }
            self.bundle = bundle
            self.cache = cache
        }

        /// Runs a network once; the work is done off the actor, so that loading another one need not wait for it.
        public func run(_ part: String, on input: Tensor) async throws -> Tensor {
            let entry = try entry(part)
            return try await model(entry).predict(input, entry)
        }

        /// Loads networks ahead of their first use.
        public func load(_ parts: [String]) async throws {
            for part in parts { _ = try await model(entry(part)) }
        }

        /// Drops every network; the next run loads it again.
        public func unload() {
            models = [:]
        }

        /// On what Core ML would run each operation of a network.
        public func computePlan(of part: String) async throws -> ComputePlanReport {
            guard #available(iOS 17.4, macOS 14.4, *) else { throw CoreMLEngineError.systemTooOld }
            let entry = try entry(part)
            let url = try await cache.url(of: entry, in: bundle)
            return try await ComputePlanReport(part: part, compiledModel: url, units: .init(entry.computeUnits))
        }

        private func entry(_ part: String) throws -> Manifest.Part {
            guard let entry = bundle.manifest.part(part) else { throw CoreMLEngineError.unknownPart(part) }
            return entry
        }

        private func model(_ part: Manifest.Part) async throws -> LoadedModel {
            observeMemoryPressure()
            if let task = models[part.part] { return try await task.value }
            let (bundle, cache) = (bundle, cache)
            let task = Task {
                do {
                    let url = try await cache.url(of: part, in: bundle)
                    return try await LoadedModel(at: url, units: .init(part.computeUnits))
                } catch {
                    // What was compiled before may be damaged; the bundle itself has been checked.
                    try await cache.discard(part, of: bundle)
                    let url = try await cache.url(of: part, in: bundle)
                    return try await LoadedModel(at: url, units: .init(part.computeUnits))
                }
            }
            models[part.part] = task
            do {
                return try await task.value
            } catch {
                // The next call tries again.
                models[part.part] = nil
                throw error
            }
        }

        private func observeMemoryPressure() {
            guard memoryPressure == nil else { return }
            memoryPressure = MemoryPressureObserver { [weak self] in
                Task { await self?.unload() }
            }
        }
    }

    /// A network that is ready to run. Core ML takes predictions from any thread.
    private struct LoadedModel: @unchecked Sendable {
        private let model: MLModel

        init(at url: URL, units: MLComputeUnits) async throws {
            let configuration = MLModelConfiguration()
            configuration.computeUnits = units
            model = try await MLModel.load(contentsOf: url, configuration: configuration)
        }

        func predict(_ input: Tensor, _ part: Manifest.Part) async throws -> Tensor {
            let given = MLMultiArray(MLShapedArray<Float>(scalars: input.values, shape: input.shape))
            let inputs = try MLDictionaryFeatureProvider(dictionary: [part.input.name: given])
            let outputs = try await model.prediction(from: inputs, options: MLPredictionOptions())
            guard let output = outputs.featureValue(for: part.output.name)?.multiArrayValue,
                output.shape.map(\.intValue) == part.output.shape
            else { throw CoreMLEngineError.wrongOutput(part.part) }
            let values = MLShapedArray<Float>(converting: output).scalars
            return Tensor(shape: part.output.shape, values: values)
        }
    }

    extension MLComputeUnits {
        /// What the manifest advises; without advice, whatever Core ML finds best.
        init(_ advice: Manifest.ComputeUnits?) {
            self =
                switch advice {
                case .all, nil: .all
                case .cpuAndNeuralEngine: .cpuAndNeuralEngine
                case .cpuAndGPU: .cpuAndGPU
                case .cpuOnly: .cpuOnly
                }
        }
    }
#endif
