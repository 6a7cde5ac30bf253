import EditorKit
import SwiftUI

/// Runs every network on the bundle's golden inputs, and shows what Core ML runs it on.
struct SelfTestView: View {
    let ready: EditorServices.Ready
    @State private var outcomes: [SelfTest.Outcome] = []
    @State private var plans: [ComputePlanReport] = []
    @State private var problem: String?
    @State private var isRunning = true

    var body: some View {
        List {
            if isRunning { ProgressView("Testing") }
            if let problem { Label(problem, systemImage: "xmark.octagon") }
            Section("Networks") { ForEach(outcomes, content: row) }
            Section("Operations by device") { ForEach(plans, id: \.part, content: row) }
        }
        .navigationTitle("Self-test")
        .task { await run() }
    }

    private func row(_ outcome: SelfTest.Outcome) -> some View {
        LabeledContent {
            if let decibels = outcome.decibels {
                Text("\(decibels, specifier: "%.1f") dB, at least \(outcome.floor, specifier: "%.0f") dB")
            } else {
                Text("No comparable answer")
            }
        } label: {
            Label(outcome.part, systemImage: outcome.passed ? "checkmark.circle.fill" : "xmark.circle.fill")
                .foregroundStyle(outcome.passed ? .green : .red)
        }
        .accessibilityElement(children: .combine)
        .accessibilityValue(outcome.passed ? Text("Passed") : Text("Failed"))
    }

    private func row(_ plan: ComputePlanReport) -> some View {
        LabeledContent(plan.part) {
            VStack(alignment: .trailing) {
                ForEach(ComputePlanReport.Device.allCases, id: \.self) { device in
                    if let count = plan.operations[device] { Text(verbatim: "\(device.rawValue): \(count)") }
                }
            }
        }
    }

    private func run() async {
        defer { isRunning = false }
        do {
            outcomes = try await SelfTest(bundle: ready.bundle, engine: ready.engine) { try RGBImage(png: $0) }.run()
            for part in ready.bundle.manifest.parts {
                plans.append(try await ready.engine.computePlan(of: part.part))
            }
        } catch is CancellationError {
            // The screen was left.
        } catch {
            problem = Words.of(error)
        }
    }
}
