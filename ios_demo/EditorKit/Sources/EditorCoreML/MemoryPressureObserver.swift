#if canImport(CoreML)
    import Dispatch

    /// Calls back when the system runs short of memory, as long as it lives.
    final class MemoryPressureObserver: @unchecked Sendable {
        // Made and cancelled once; Dispatch does the locking.
        private let source: any DispatchSourceMemoryPressure

        init(_ action: @escaping @Sendable () -> Void) {
            source = DispatchSource.makeMemoryPressureSource(eventMask: [.warning, .critical], queue: .global())
            source.setEventHandler(handler: action)
            source.activate()
        }

        deinit {
            source.cancel()
        }
    }
#endif
