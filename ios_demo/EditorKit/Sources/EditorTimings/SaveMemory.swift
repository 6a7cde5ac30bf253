import EditorCore
import Foundation

/// The memory of saving a large photo: its rows are made when they are asked for, and thrown away when they have been written, as a decoder
/// and an encoder would. What is counted is the process's own peak.
struct SaveMemory {
    /// What came of it.
    struct Outcome: Encodable {
        let id = "save"
        let photo: [Int]
        let crop: Int
        let seconds: Double
        let peakBytes: Int
        let bytesBefore: Int
        let rowsWritten: Int
        let pixelsChangedOutside: Int
    }

    let megapixels: Int

    /// Opens, edits and saves once.
    func run() async throws -> Outcome {
        // 4 to 3, as cameras have it.
        let width = Int((Double(megapixels) * 1e6 * 4 / 3).squareRoot())
        let photo = GradientPhoto(width: width, height: width * 3 / 4)
        let side = Double(photo.height) * 0.8
        let before = Self.memory("VmRSS")
        let clock = ContinuousClock()
        let began = clock.now
        let editor = FaceEditor(networks: PausingNetworks(decodeMs: 10), detector: NoFaces())
        let open = try await editor.photo(photo)
        try await open.choose(.drawn(centre: SIMD2(Double(photo.width), Double(photo.height)) / 2, side: side))
        try open.edit([Edit(prompt: PausingNetworks.prompt, strength: 1)])
        var sink = CheckingSink(photo: photo, face: open.chosen)
        try await open.save(to: &sink)
        return Outcome(
            photo: [photo.width, photo.height], crop: Int(side), seconds: (clock.now - began) / .seconds(1),
            peakBytes: Self.memory("VmHWM"), bytesBefore: before, rowsWritten: sink.rows,
            pixelsChangedOutside: sink.changedOutside)
    }

    /// Bytes of this process, as Linux counts them; 0 elsewhere.
    private static func memory(_ name: String) -> Int {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
        return (line?.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) } ?? 0) * 1024
    }
}

/// A photo that is computed, not stored.
private struct GradientPhoto: PhotoSource {
    let width: Int
    let height: Int

    func rows(_ range: Range<Int>) -> RGBImage {
        let bytes = [UInt8](unsafeUninitializedCapacity: 3 * width * range.count) { bytes, initialized in
            var place = 0
            for y in range {
                for x in 0..<width {
                    bytes[place] = UInt8(truncatingIfNeeded: x &>> 4)
                    bytes[place + 1] = UInt8(truncatingIfNeeded: y &>> 4)
                    bytes[place + 2] = UInt8(truncatingIfNeeded: (x &+ y) &>> 5)
                    place += 3
                }
            }
            initialized = place
        }
        return RGBImage(width: width, height: range.count, bytes: bytes)
    }
}

/// Compares what is written with the photo.
private struct CheckingSink: PhotoSink {
    let photo: GradientPhoto
    let face: Face?
    var rows = 0
    var changedOutside = 0

    mutating func write(_ band: RGBImage) {
        let before = photo.rows(rows..<rows + band.height).bytes
        for (index, byte) in band.bytes.enumerated() where byte != before[index] {
            let (x, y) = (index / 3 % band.width, rows + index / 3 / band.width)
            let place = face?.crop.cropPoint(SIMD2(Double(x) + 0.5, Double(y) + 0.5)) ?? .zero
            if !(0...1).contains(place.x) || !(0...1).contains(place.y) { changedOutside += 1 }
        }
        rows += band.height
    }
}
