import Foundation

/// A value that several threads read and write, one at a time.
final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func with<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value)
    }
}

/// The newest of values that come faster than they are taken. Who takes one waits for the next; those between are never seen.
final class Latest<Value: Sendable>: Sendable {
    /// A value and its place in the order of all that were offered.
    struct Offer: Sendable {
        let number: Int
        let value: Value
    }

    private struct State: Sendable {
        var newest: Offer?
        var isClosed = false
        var waiting: [UUID: CheckedContinuation<Void, Never>] = [:]

        func mustWait(after number: Int) -> Bool { !isClosed && (newest?.number ?? 0) <= number }
    }

    private let state = Locked(State())

    /// Puts a value in the place of the one before; never waits.
    func offer(_ value: Value) {
        change { $0.newest = Offer(number: ($0.newest?.number ?? 0) + 1, value: value) }
    }

    /// Ends all waiting, now and later.
    func close() {
        change { $0.isClosed = true }
    }

    /// Whether `close` was called.
    var isClosed: Bool { state.with { $0.isClosed } }

    /// The newest value once there is one after that of this number; nil when closed or when the task was cancelled.
    func next(after number: Int) async -> Offer? {
        while state.with({ $0.mustWait(after: number) }) {
            if Task.isCancelled { return nil }
            await waitForChange(after: number)
        }
        return state.with { $0.isClosed ? nil : $0.newest }
    }

    private func change(_ body: (inout State) -> Void) {
        let waiting = state.with { state in
            body(&state)
            defer { state.waiting = [:] }
            return state.waiting.values
        }
        waiting.forEach { $0.resume() }
    }

    private func waitForChange(after number: Int) async {
        let id = UUID()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.with { state in
                    // Both may have changed since they were looked at.
                    guard !Task.isCancelled, state.mustWait(after: number) else { return false }
                    state.waiting[id] = continuation
                    return true
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.with { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
