// Stands for MemoryPressureObserver.swift and DeviceDescription.swift, which need the C headers of Apple's kernel and are only parsed.
import EditorCore

final class MemoryPressureObserver: Sendable {
    init(_ action: @escaping @Sendable () -> Void) {}
}

extension DeviceBenchmark.Device {
    /// Never run.
    public static func current() -> DeviceBenchmark.Device { fatalError("never run") }
}
