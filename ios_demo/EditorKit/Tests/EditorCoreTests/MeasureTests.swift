import Foundation
import Testing

@testable import EditorCore

@Suite("Decibels and statistics as in Python")
struct MeasureTests {
    struct Golden: Decodable {
        struct Case: Decodable {
            let name: String
            let expected: Data
            let actual: Data
            let psnrDb: Double?
            let passes: Bool
        }
        let toleranceDb: Double
        let floorDb: Double
        let cases: [Case]
    }

    @Test func selfTestsPassAndFailAlike() throws {
        let vectors: Golden = try Contracts.load("golden.json")
        for example in vectors.cases {
            let expected = try tensor(example.expected)
            let decibels = SelfTest.decibels(expected: expected, actual: try tensor(example.actual))
            let outcome = SelfTest.Outcome(part: "decoder", decibels: decibels, floor: vectors.floorDb)
            #expect(outcome.passed == example.passes, "\(example.name)")
            switch (decibels, example.psnrDb) {
            case (let found?, let wanted?): #expect(abs(found - wanted) <= vectors.toleranceDb, "\(example.name)")
            case (nil, nil): break
            default: Issue.record("\(example.name): \(String(describing: decibels))")
            }
        }
    }

    private func tensor(_ data: Data) throws -> Tensor {
        try Tensor(littleEndian: data, shape: [data.count / 4], source: "vector")
    }

    struct Spreads: Decodable {
        struct Case: Decodable {
            let values: [Double]
            let median: Double
            let p10: Double
            let p90: Double
        }
        let tolerance: Double
        let cases: [Case]
    }

    @Test func spreads() throws {
        let vectors: Spreads = try Contracts.load("spreads.json")
        for example in vectors.cases {
            let spread = Spread(example.values)
            for (found, wanted) in [
                (spread.median, example.median), (spread.p10, example.p10), (spread.p90, example.p90),
            ] {
                #expect(abs(found - wanted) <= vectors.tolerance * max(1, abs(wanted)))
            }
        }
    }
}
