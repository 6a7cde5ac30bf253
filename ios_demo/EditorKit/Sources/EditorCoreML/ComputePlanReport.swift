#if canImport(CoreML)
    import CoreML
    import Foundation

    /// On what Core ML would run the operations of one network on this device.
    public struct ComputePlanReport: Sendable, Equatable {
        /// The network.
        public let part: String
        /// Operations by the device that Core ML prefers for them.
        public private(set) var operations: [Device: Int] = [:]

        /// Where an operation runs.
        public enum Device: String, Sendable, CaseIterable {
            /// The processor.
            case cpu = "CPU"
            /// The graphics processor.
            case gpu = "GPU"
            /// The Neural Engine.
            case neuralEngine = "Neural Engine"
            /// A kind of device that came after this version.
            case other = "Other"
        }

        @available(iOS 17.4, macOS 14.4, *)
        init(part: String, compiledModel: URL, units: MLComputeUnits) async throws {
            self.part = part
            let configuration = MLModelConfiguration()
            configuration.computeUnits = units
            let plan = try await MLComputePlan.load(contentsOf: compiledModel, configuration: configuration)
            guard case .program(let program) = plan.modelStructure else { return }
            for operation in program.functions.values.flatMap(\.block.operations) {
                // Constants have no device.
                guard let usage = plan.deviceUsage(for: operation) else { continue }
                operations[Device(usage.preferred), default: 0] += 1
            }
        }
    }

    extension ComputePlanReport.Device {
        fileprivate init(_ device: MLComputeDevice) {
            self =
                switch device {
                case .cpu: .cpu
                case .gpu: .gpu
                case .neuralEngine: .neuralEngine
                @unknown default: .other
                }
        }
    }
#endif
