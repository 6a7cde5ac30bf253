import Dispatch

/// Work on the rows of a picture, spread over the processor's cores.
enum PixelRows {
    // Handing a band to another thread costs about as much as a few rows.
    private static let rowsPerBand = 16

    /// Calls `work` with ranges that cover `rows` once; on several threads at a time, unless `threads` is 1.
    ///
    /// - Parameters:
    ///   - rows: all rows.
    ///   - threads: 1 works in the calling thread alone; nil leaves the number to the system.
    ///   - work: must touch the rows of its range only.
    static func forEach(_ rows: Range<Int>, threads: Int? = nil, _ work: (Range<Int>) -> Void) {
        let bands = threads == 1 ? 1 : (rows.count + rowsPerBand - 1) / rowsPerBand
        guard bands > 1 else { return work(rows) }
        withoutActuallyEscaping(work) { work in
            let shared = Shared(work: work)
            DispatchQueue.concurrentPerform(iterations: bands) { band in
                let first = rows.lowerBound + band * rowsPerBand
                shared.work(first..<min(first + rowsPerBand, rows.upperBound))
            }
        }
    }

    /// Each call touches rows of its own, and all have ended when `forEach` returns.
    private struct Shared: @unchecked Sendable {
        let work: (Range<Int>) -> Void
    }
}
