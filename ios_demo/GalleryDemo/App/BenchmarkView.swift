import EditorKit
import SwiftUI

/// Measures the networks on this device and shows and shares the result document.
struct BenchmarkView: View {
    let ready: EditorServices.Ready
    @State private var result: BenchmarkResult?
    @State private var progress: Double?
    @State private var problem: String?

    var body: some View {
        List {
            Section {
                if let progress {
                    ProgressView(value: progress) { Text("Measuring") }
                } else {
                    Button("Start", systemImage: "play.fill", action: start)
                }
                if let problem { Label(problem, systemImage: "xmark.octagon") }
            } footer: {
                Text("Close other apps and let the device cool down first.")
            }
            if let result {
                Section("Median (10th to 90th percentile)") { ForEach(result.measurements, content: row) }
                ShareLink("Share the result", item: BenchmarkRun.document)
            }
        }
        .navigationTitle("Benchmark")
    }

    private func row(_ measurement: BenchmarkResult.Measurement) -> some View {
        let spread = Spread(measurement.samples)
        return LabeledContent(measurement.series) {
            if measurement.unit == "bytes" {
                Text(Int64(spread.median), format: .byteCount(style: .memory))
            } else {
                Text(
                    "\(spread.median, specifier: "%.1f") ms (\(spread.p10, specifier: "%.1f") to \(spread.p90, specifier: "%.1f"))"
                )
            }
        }
        .accessibilityElement(children: .combine)
    }

    private func start() {
        progress = 0
        problem = nil
        Task {
            defer { progress = nil }
            do {
                result = try await BenchmarkRun(bundle: ready.bundle).run { share in
                    await MainActor.run { progress = share }
                }
            } catch {
                problem = Words.of(error)
            }
        }
    }
}
