import Foundation
import Testing

@testable import EditorCore

@Suite("What the benchmark screen writes")
struct DeviceBenchmarkTests {
    @Test func aResultThatFitsTheSchemaIsWrittenAgainAsItWas() throws {
        let data = try Data(contentsOf: Contracts.folder.appending(path: "device_results.json"))
        guard case .object(let results) = try JSON.parse(data, source: "results") else {
            throw CocoaError(.coderInvalidValue)
        }
        let wanted = try #require(results["ios"])
        struct Results: Decodable { let ios: BenchmarkResult }
        let read: Results = try Contracts.load("device_results.json")
        #expect(try JSON.parse(read.ios.json(), source: "written") == wanted)
    }

    @Test func everythingIsMeasuredOncePerRound() async throws {
        try await withBundle { bundle in
            let device = DeviceBenchmark.Device(
                machine: { Self.machine }, software: ["coreml": "test"], memoryInUse: { 1 << 20 },
                memoryCounter: "none",
                decodePNG: { _ in RGBImage(width: 8, height: 8, bytes: .init(repeating: 0, count: 192)) })
            let benchmark = DeviceBenchmark(bundle: bundle, device: device, rounds: 3, warmup: 2, previewSide: 32)
            let engine = FakeEngine(bundle.manifest)
            let result = try await benchmark.run { parts in
                #expect(parts == ["encoder", "editors/smile", "decoder"])
                return engine
            }
            let ids = ["full", "encode", "edit", "decode", "slider", "slider_shown", "load", "memory"]
            #expect(result.measurements.map(\.id) == ids)
            for measurement in result.measurements where measurement.group == "an edit" {
                #expect(measurement.samples.count == 3)
                #expect(measurement.samples.allSatisfy { $0 > 0 })
            }
            // Two warm-up and three timed rounds of encode, edit, decode, slider and slider_shown (decode) and full (all three).
            #expect(await engine.calls.count == 5 * 8)
            let text = String(decoding: try result.json(), as: UTF8.self)
            for field in [
                "\"schema_version\" : 1", "\"taken_at\"", "\"checkpoint_id\" : \"demo-1\"", "\"memory_bytes\"",
            ] {
                #expect(text.contains(field), "\(field)")
            }
        }
    }

    private static let machine = BenchmarkResult.Machine(
        emulated: true, model: "none", processor: "none", cores: 1, system: "test", memoryBytes: 1,
        thermalState: "nominal")
}
