/// The result of one benchmark on one device, as benchmarks/result.schema.json describes it.
public struct BenchmarkResult: Codable, Equatable, Sendable {
    /// The version of the schema.
    public var schemaVersion = 1
    /// What was run: an app measures itself.
    public var benchmark = "device"
    /// When the run began, UTC to the second: `2026-01-31T12:00:00Z`.
    public let takenAt: String
    /// The device.
    public var machine: Machine
    /// Versions of what ran, by name.
    public let software: [String: String]
    /// The model.
    public let subject: Subject
    /// What was asked for.
    public let settings: Settings
    /// What was measured.
    public let measurements: [Measurement]

    /// The device.
    public struct Machine: Codable, Equatable, Sendable {
        /// The kind of system; results of different kinds are never joined.
        public var kind = "ios"
        /// Whether it is a simulator, whose times are those of the computer below it.
        public let emulated: Bool
        /// As the system names it: `iPhone17,1`.
        public let model: String
        /// Its processor.
        public let processor: String
        /// Cores of the processor.
        public let cores: Int
        /// Name and version of the operating system.
        public let system: String
        /// Memory of the device.
        public let memoryBytes: Int
        /// As the system calls it when the run ended.
        public var thermalState: String

        /// Describes a device.
        public init(
            emulated: Bool, model: String, processor: String, cores: Int, system: String, memoryBytes: Int,
            thermalState: String
        ) {
            self.emulated = emulated
            self.model = model
            self.processor = processor
            self.cores = cores
            self.system = system
            self.memoryBytes = memoryBytes
            self.thermalState = thermalState
        }
    }

    /// The model.
    public struct Subject: Codable, Equatable, Sendable {
        let model: String
        let bundleTarget: String
        let checkpointId: String
    }

    /// What was asked for.
    public struct Settings: Codable, Equatable, Sendable {
        let rounds: Int
        let warmup: Int
    }

    /// One measured quantity with all its samples.
    public struct Measurement: Codable, Equatable, Sendable, Identifiable {
        /// The same in every result.
        public let id: String
        /// One table and one plot.
        public let group: String
        /// The bar's name.
        public let series: String
        /// `ms` or `bytes`.
        public let unit: String
        /// One value per round, in order.
        public let samples: [Double]
        /// What else tells it apart.
        public let labels: [String: String]?
    }
}
