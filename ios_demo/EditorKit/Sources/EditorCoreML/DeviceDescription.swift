#if canImport(CoreML)
    // The kernel's name of this task is a C global that never changes.
    @preconcurrency import Darwin
    import EditorCore
    import Foundation

    extension DeviceBenchmark.Device {
        /// The device that runs this process, measured by the kernel's own counters.
        public static func current() -> DeviceBenchmark.Device {
            let version = ProcessInfo.processInfo.operatingSystemVersion
            let system = "\(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
            return DeviceBenchmark.Device(
                machine: { machine(system: "iOS \(system)") },
                software: ["Core ML": "of iOS \(system)"],
                memoryInUse: physicalFootprint,
                memoryCounter: "phys_footprint",
                decodePNG: { try RGBImage(png: $0) })
        }
    }

    private func machine(system: String) -> BenchmarkResult.Machine {
        let environment = ProcessInfo.processInfo.environment
        let simulated = environment["SIMULATOR_MODEL_IDENTIFIER"]
        let model = simulated ?? systemString("hw.machine")
        return BenchmarkResult.Machine(
            emulated: simulated != nil, model: model, processor: "of \(model)",
            cores: ProcessInfo.processInfo.processorCount, system: system,
            memoryBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory),
            thermalState: name(of: ProcessInfo.processInfo.thermalState))
    }

    private func name(of state: ProcessInfo.ThermalState) -> String {
        switch state {
        case .nominal: "nominal"
        case .fair: "fair"
        case .serious: "serious"
        case .critical: "critical"
        @unknown default: "unknown"
        }
    }

    private func systemString(_ name: String) -> String {
        var size = 0
        guard sysctlbyname(name, nil, &size, nil, 0) == 0, size > 0 else { return "unknown" }
        var bytes = [UInt8](repeating: 0, count: size)
        guard sysctlbyname(name, &bytes, &size, nil, 0) == 0 else { return "unknown" }
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// Bytes that the kernel counts against this process, as the limit that ends apps does.
    @Sendable private func physicalFootprint() -> Int {
        var info = task_vm_info_data_t()
        var count = mach_msg_type_number_t(MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<natural_t>.size)
        let status = withUnsafeMutablePointer(to: &info) { pointer in
            pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
            }
        }
        return status == KERN_SUCCESS ? Int(clamping: info.phys_footprint) : 0
    }
#endif
