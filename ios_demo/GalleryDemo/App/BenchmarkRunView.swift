import Foundation
import SwiftUI

/// What the screen shows while a computer has the app measure itself. The process ends when it is done: 0 for success.
struct BenchmarkRunView: View {
    let services: EditorServices

    var body: some View {
        ProgressView("Measuring")
            .task {
                await services.open()
                guard let ready = services.ready else { fail(services.failure ?? "no model") }
                do {
                    _ = try await BenchmarkRun(bundle: ready.bundle).run { _ in }
                    exit(0)
                } catch {
                    fail(error.localizedDescription)
                }
            }
    }

    /// The console of the computer gets the reason.
    private func fail(_ reason: String) -> Never {
        try? FileHandle.standardError.write(contentsOf: Data("error: \(reason)\n".utf8))
        exit(1)
    }
}
